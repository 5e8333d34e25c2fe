#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace sealane::http {

// Drives a curl multi handle by epoll: of many transfers only those are looked at whose sockets
// have something to do. curl_multi_perform looks at all, with a system call for each, every time
// that one of them moves.
//
// A multi handle (CURLM*) and a transfer (CURL*) are void*, as libcurl has them: its headers are
// heavy. Thread rule: the thread that owns it, but for Wake.
class CurlSockets {
 public:
  CurlSockets();
  ~CurlSockets();
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;

  [[nodiscard]] void* multi() const { return multi_; }
  // Sets the options of a transfer, before it is added, that tell when its sockets come and go.
  void Prepare(void* easy);
  // Runs transfers that were added or whose time has come.
  void RunDue();
  // Waits until a socket has something to do, a time has come, or Wake; then runs what is to be
  // run.
  void Wait();
  // Ends the wait under way, or else the next one. Any thread.
  void Wake();

 private:
  struct Socket {
    uint32_t wanted = 0;      // what curl waits for; epoll's bits
    uint32_t registered = 0;  // what epoll waits for; 0: it does not know the socket
    bool connection = false;  // tells when it is closed, so it may stay registered while idle
  };

  struct Callbacks;  // what curl calls

  void Want(int fd, uint32_t wanted);
  void Register(int fd, Socket& socket, uint32_t bits);
  void OnEvent(int fd, uint32_t bits);

  void* multi_;
  int epoll_;
  int wake_;
  std::atomic<bool> woken_{false};
  std::unordered_map<int, Socket> sockets_;
  std::optional<std::chrono::steady_clock::time_point> due_;
};

}  // namespace sealane::http
