// Runs a fuzz target without libFuzzer: every file of the corpus, then mutations of them from a
// seed, always the same one unless another is given, and told in either case: a failure is found
// again. Memory is bounded, for one input and for all of them together.
// Usage: NAME_fuzz ITERATIONS CORPUS_DIRECTORY [SEED]
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;  // a sanitizer maps and keeps far more than the target uses
#else
constexpr bool kMemoryIsOurs = true;
#endif
// Bytes of address space: the program, and one input of a few kilobytes, need far less.
constexpr rlim_t kMaxAddressSpace = rlim_t{1} << 30;
// Bytes in use that may be there after all mutations and were not before: caches, no leaks.
constexpr size_t kMaxGrowth = size_t{4} << 20;

// The input that runs now, for the handler below.
const std::string* current = nullptr;  // NOLINT: a signal handler has no other way

// A crash or an endless loop shows the input that made it.
void OnSignal(int signal) {
  constexpr char kWhat[] = "\nthe input that crashed, or did not end within 10 seconds:\n";
  (void)!write(STDERR_FILENO, kWhat, sizeof(kWhat) - 1);
  if (current != nullptr) (void)!write(STDERR_FILENO, current->data(), current->size());
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(128 + signal);
}

// An allocation that fails must not be taken for a refused input.
void OnNoMemory() {
  constexpr char kWhat[] = "\nan input needs more memory than the limit\n";
  (void)!write(STDERR_FILENO, kWhat, sizeof(kWhat) - 1);
  std::abort();
}

void LimitMemory() {
  if (!kMemoryIsOurs) return;
  const rlimit limit{kMaxAddressSpace, kMaxAddressSpace};
  if (setrlimit(RLIMIT_AS, &limit) != 0) {
    std::perror("setrlimit");
    std::exit(2);
  }
  std::set_new_handler(OnNoMemory);
}

// Bytes that were allocated and not freed.
size_t MemoryInUse() {
  if (!kMemoryIsOurs) return 0;
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void Run(const std::string& input) {
  current = &input;
  alarm(10);
  // NOLINTNEXTLINE: the entry point's signature is libFuzzer's.
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string Mutate(const std::vector<std::string>& corpus, std::mt19937& random) {
  std::string text = corpus[random() % corpus.size()];
  for (unsigned steps = 1 + random() % 6; steps > 0; --steps) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 5) {
      case 0:
        text.insert(at, 1, static_cast<char>(random() % 256));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(random() % 256);
        break;
      case 2:
        if (!text.empty()) text.erase(at, 1 + random() % 8);
        break;
      case 3:
        text.insert(at, text.substr(text.empty() ? 0 : random() % text.size(), random() % 32));
        break;
      default: {
        const std::string& other = corpus[random() % corpus.size()];
        const size_t from = other.empty() ? 0 : random() % other.size();
        text.insert(at, other.substr(from, random() % 64));
      }
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: %s ITERATIONS CORPUS_DIRECTORY [SEED]\n", argv[0]);
    return 2;
  }
  const int iterations = std::atoi(argv[1]);
  const auto seed = static_cast<uint32_t>(argc == 4 ? std::strtoul(argv[3], nullptr, 10) : 1);
  std::fprintf(stderr, "seed %u\n", seed);
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2]))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus = {""};
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (const int signal : {SIGALRM, SIGABRT, SIGSEGV, SIGFPE, SIGILL}) {
    std::signal(signal, OnSignal);
  }
  LimitMemory();
  for (const std::string& input : corpus) Run(input);
  std::mt19937 random(seed);
  const size_t before = MemoryInUse();
  for (int i = 0; i < iterations; ++i) Run(Mutate(corpus, random));
  const size_t after = MemoryInUse();
  if (after > before + kMaxGrowth) {
    std::fprintf(stderr, "memory in use grew by %zu bytes in %d inputs\n", after - before,
                 iterations);
    return 1;
  }
  std::printf("%d inputs\n", iterations + static_cast<int>(corpus.size()));
  return 0;
}
