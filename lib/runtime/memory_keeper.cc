#include "lib/runtime/memory_keeper.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace sealane {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(500);
// Work worth giving back after, and what a process at rest uses in an interval (1 %), in seconds.
constexpr double kWork = 0.02;
constexpr double kQuiet = 0.005;

double ProcessCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Takes the read-only parts of a program or library out of this process' page table. They are
// mapped from files and never written, so nothing is lost: the next access maps the page again. The
// writable parts, which hold relocated addresses and data, stay.
int DropReadOnlyPages(dl_phdr_info* info, size_t /*size*/, void* page_size) {
  const uintptr_t page = *static_cast<const uintptr_t*>(page_size);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) / page * page;
    const uintptr_t end = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // A refusal (pages locked in memory) leaves everything as it was.
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

bool RestDetector::Tick(double cpu_seconds) {
  const bool quiet = cpu_seconds - last_ < kQuiet;
  last_ = cpu_seconds;
  if (!quiet || (settled_ >= 0 && cpu_seconds - settled_ < kWork)) return false;
  settled_ = cpu_seconds;
  return true;
}

void ReleaseUnusedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  dl_iterate_phdr(&DropReadOnlyPages, &page);
}

void UseFewHeaps() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 2);
#endif
}

MemoryKeeper::MemoryKeeper(Env env, std::function<double()> cpu_seconds,
                           std::function<void()> release)
    : cpu_seconds_(std::move(cpu_seconds)), release_(std::move(release)), executor_(env.executor) {
  Arm();
}

MemoryKeeper::MemoryKeeper(Env env) : MemoryKeeper(env, ProcessCpuSeconds, ReleaseUnusedMemory) {}

void MemoryKeeper::Arm() {
  executor_.After(kInterval, [this] {
    if (rest_.Tick(cpu_seconds_())) release_();
    Arm();
  });
}

}  // namespace sealane
