#include "lib/telemetry/log.h"

#include <cstdlib>
#include <memory>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace sealane {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
    case LogLevel::kOff:
      return "error";
  }
  return "info";
}

// Lives until the process ends: other static objects may still log while they are destroyed.
spdlog::logger& Sink() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("sealane", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    const char* wanted = std::getenv("SEALANE_TEST_LOG");
    made->set_level(wanted == nullptr ? spdlog::level::off : ToSpdlog(ParseLogLevel(wanted)));
    return made;
  }();
  return *logger;
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

// One line whatever the text holds: manifests and other people's messages end up in logs.
void AppendEscaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
}

}  // namespace

void Logger::Write(LogLevel level, std::string_view text,
                   std::initializer_list<LogField> fields) const {
  spdlog::logger& sink = Sink();
  if (!sink.should_log(ToSpdlog(level))) return;
  std::string line(LevelName(level));
  line += ' ';
  line += component_;
  line += ' ';
  line += text;
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += name;
    line += '=';
    if (NeedsQuotes(value)) {
      line += '"';
      AppendEscaped(line, value);
      line += '"';
    } else {
      line += value;
    }
  }
  sink.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void Logger::Debug(std::string_view text, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kDebug, text, fields);
}
void Logger::Info(std::string_view text, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kInfo, text, fields);
}
void Logger::Warn(std::string_view text, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kWarn, text, fields);
}
void Logger::Error(std::string_view text, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kError, text, fields);
}

void SetLogLevel(LogLevel level) { Sink().set_level(ToSpdlog(level)); }

LogLevel ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "warn" || text == "warning") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  if (text == "off") return LogLevel::kOff;
  return LogLevel::kInfo;
}

}  // namespace sealane
