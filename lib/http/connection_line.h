#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace sealane::http {

// The connections of a server that it waits for: idle ones, and those whose handshake or request is
// not complete. Says which one gives way when there is room for no more: the one that waits
// longest, those that never had an answer before those that had one. So whoever opens connections
// and leaves them takes the place of others like him, not of clients between two requests.
// Thread rule: one thread.
class ConnectionLine {
 public:
  // The connection begins to wait, or waits anew: it goes to the end of its line.
  void Wait(uint64_t connection, bool served) {
    Leave(connection);
    const uint64_t ticket = ++last_ticket_;
    tickets_[connection] = {served, ticket};
    lines_[served ? 1 : 0][ticket] = connection;
  }
  // It is served now, or closed.
  void Leave(uint64_t connection) {
    const auto it = tickets_.find(connection);
    if (it == tickets_.end()) return;
    lines_[it->second.first ? 1 : 0].erase(it->second.second);
    tickets_.erase(it);
  }
  // Who gives way next; nullopt: nobody waits.
  [[nodiscard]] std::optional<uint64_t> First() const {
    for (const auto& line : lines_) {
      if (!line.empty()) return line.begin()->second;
    }
    return std::nullopt;
  }
  // One that began to wait before the last but one call of Mark; nullopt: there is none.
  [[nodiscard]] std::optional<uint64_t> Overdue() const {
    for (const auto& line : lines_) {
      if (!line.empty() && line.begin()->first <= overdue_) return line.begin()->second;
    }
    return std::nullopt;
  }
  void Mark() { overdue_ = std::exchange(marked_, last_ticket_); }

 private:
  std::map<uint64_t, std::pair<bool, uint64_t>> tickets_;  // connection -> served, ticket
  std::map<uint64_t, uint64_t> lines_[2];                  // ticket -> connection
  uint64_t last_ticket_ = 0;
  uint64_t marked_ = 0;
  uint64_t overdue_ = 0;
};

}  // namespace sealane::http
