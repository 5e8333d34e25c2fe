#include "benchmarks/common/numbers.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "lib/core/strings.h"

namespace sealane::bench {
namespace {

double StatusFieldMb(pid_t pid, std::string_view field) {
  std::ifstream file(StrCat("/proc/", pid, "/status"));
  for (std::string name; file >> name;) {
    double kilobytes = 0;
    if (name == field && file >> kilobytes) return kilobytes * 1024 / 1e6;
    std::string rest;
    std::getline(file, rest);
  }
  return 0;
}

}  // namespace

double Percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p / 100 * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

double PeakMemoryMb(pid_t pid) { return StatusFieldMb(pid, "VmHWM:"); }
double ResidentMemoryMb(pid_t pid) { return StatusFieldMb(pid, "VmRSS:"); }

double CpuSeconds(pid_t pid) {
  std::ifstream file(StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text);
  // After the name in parentheses, which may hold anything: state is field 3, utime 14, stime 15.
  const size_t end = text.rfind(')');
  if (end == text.npos) return 0;
  double utime = 0;
  double stime = 0;
  size_t at = end + 2;
  for (int field = 3; field <= 15 && at < text.size(); ++field) {
    const size_t space = text.find(' ', at);
    if (field == 14) utime = std::stod(text.substr(at, space - at));
    if (field == 15) stime = std::stod(text.substr(at, space - at));
    if (space == text.npos) break;
    at = space + 1;
  }
  return (utime + stime) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace sealane::bench
