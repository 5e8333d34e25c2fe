// No target of ours but one that misbehaves, to prove that the driver notices: built with LEAKS it
// keeps a little of the memory of each input, without it takes ever more for one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto& kept = *new std::vector<std::string>();
  (void)data;
#ifdef LEAKS
  kept.emplace_back(16384, static_cast<char>(size));
#else
  // What a reader without a bound does on "&a [*a, *a]": twice as much each time.
  std::string text(1024, static_cast<char>(size));
  while (!text.empty()) text += text;
  kept.push_back(text);
#endif
  return 0;
}
