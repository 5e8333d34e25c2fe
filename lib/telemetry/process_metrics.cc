#include "lib/telemetry/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

namespace sealane {

std::string_view Version() { return SEALANE_VERSION; }

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    int64_t value = 0;
    if (name == "VmRSS:" && status >> value) {
      usage.resident_bytes = value * 1024;
    } else if (name == "VmHWM:" && status >> value) {
      usage.peak_resident_bytes = value * 1024;
    } else if (name == "Threads:" && status >> value) {
      usage.threads = value;
    }
    std::string rest;
    std::getline(status, rest);
  }
  rusage times{};
  if (getrusage(RUSAGE_SELF, &times) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  }
  if (DIR* dir = opendir("/proc/self/fd"); dir != nullptr) {
    while (const dirent* entry = readdir(dir)) {
      if (entry->d_name[0] != '.') ++usage.open_files;
    }
    closedir(dir);
    --usage.open_files;  // the directory itself
  }
  return usage;
}

void AddProcessMetrics(Registry& registry, const Clock& clock, std::string_view service) {
  registry
      .AddGauge("sealane_build_info", "Always 1; the labels say what is running.",
                {{"service", std::string(service)}, {"version", std::string(Version())}})
      .Set(1);
  registry.AddGauge("process_start_time_seconds", "Start of the process since the Unix epoch.")
      .Set(absl::ToDoubleSeconds(clock.Now() - absl::UnixEpoch()));
  Gauge& resident = registry.AddGauge("process_resident_memory_bytes", "Resident memory.");
  Gauge& peak = registry.AddGauge("process_resident_memory_peak_bytes",
                                  "Largest resident memory since the start.");
  Gauge& threads = registry.AddGauge("process_threads", "Threads of the process.");
  Gauge& files = registry.AddGauge("process_open_fds", "Open file descriptors.");
  Counter& cpu =
      registry.AddCounter("process_cpu_seconds_total", "User and system CPU time spent.");
  registry.OnCollect([&resident, &peak, &threads, &files, &cpu] {
    const ProcessUsage usage = ReadProcessUsage();
    resident.Set(static_cast<double>(usage.resident_bytes));
    peak.Set(static_cast<double>(usage.peak_resident_bytes));
    threads.Set(static_cast<double>(usage.threads));
    files.Set(static_cast<double>(usage.open_files));
    cpu.Increment(usage.cpu_seconds - cpu.Value());
  });
}

}  // namespace sealane
