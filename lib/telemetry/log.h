#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace sealane {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// One field of a log line.
using LogField = std::pair<std::string_view, std::string>;

// A named logger: constant text plus fields, one line on standard error:
// "2026-01-02T03:04:05.678Z info policy claimed object=\"Deployment a/b\" policy=x".
// Cheap to copy. Thread rule: safe from any thread.
class Logger {
 public:
  explicit Logger(std::string_view component) : component_(component) {}
  void Debug(std::string_view text, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view text, std::initializer_list<LogField> fields = {}) const;
  void Warn(std::string_view text, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view text, std::initializer_list<LogField> fields = {}) const;

 private:
  void Write(LogLevel level, std::string_view text, std::initializer_list<LogField> fields) const;
  std::string component_;
};

// Process-wide threshold; set once in main (tests: kOff by default unless SEALANE_TEST_LOG is set).
void SetLogLevel(LogLevel level);
[[nodiscard]] LogLevel ParseLogLevel(std::string_view text);  // unknown: kInfo

}  // namespace sealane
