#include "lib/http/curl_sockets.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sealane::http {
namespace {

// Several requests share a connection and outlive each other's time limits: what the other side
// does not acknowledge for so long is dead.
constexpr unsigned int kUnacknowledgedMillis = 20'000;
constexpr int kMaxWaitMillis = 60'000;

}  // namespace

struct CurlSockets::Callbacks {
  static int OnOpened(void* self, curl_socket_t fd, curlsocktype purpose) {
    if (purpose == CURLSOCKTYPE_IPCXN) {
      setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMillis,
                 sizeof kUnacknowledgedMillis);
    }
    static_cast<CurlSockets*>(self)->sockets_[fd] = Socket{.connection = true};
    return CURL_SOCKOPT_OK;
  }

  static int OnClosing(void* self, curl_socket_t fd) {
    static_cast<CurlSockets*>(self)->sockets_.erase(fd);
    return close(fd);  // epoll forgets it by itself
  }

  static int OnSocket(CURL* /*easy*/, curl_socket_t fd, int what, void* self, void* /*unused*/) {
    uint32_t wanted = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) wanted |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) wanted |= EPOLLOUT;
    static_cast<CurlSockets*>(self)->Want(fd, wanted);
    return 0;
  }

  static int OnTimer(CURLM* /*multi*/, long millis, void* self) {
    auto& due = static_cast<CurlSockets*>(self)->due_;
    due.reset();
    if (millis >= 0) due = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
    return 0;
  }
};

CurlSockets::CurlSockets()
    : multi_(curl_multi_init()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Callbacks::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Callbacks::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

CurlSockets::~CurlSockets() {
  curl_multi_cleanup(multi_);  // closes sockets, and tells so
  close(wake_);
  close(epoll_);
}

void CurlSockets::Prepare(void* easy) {
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &Callbacks::OnOpened);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Callbacks::OnClosing);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

void CurlSockets::Want(int fd, uint32_t wanted) {
  Socket& socket = sockets_[fd];
  socket.wanted = wanted;
  if (wanted == socket.registered) return;
  if (wanted != 0) return Register(fd, socket, wanted);
  // A connection without a transfer soon gets the next one: it stays registered. Other sockets, of
  // curl's own, are closed without a word.
  if (socket.connection) return;
  Register(fd, socket, 0);
  sockets_.erase(fd);
}

void CurlSockets::Register(int fd, Socket& socket, uint32_t bits) {
  epoll_event event = {};
  event.events = bits;
  event.data.fd = fd;
  const int change = bits == 0                ? EPOLL_CTL_DEL
                     : socket.registered == 0 ? EPOLL_CTL_ADD
                                              : EPOLL_CTL_MOD;
  socket.registered = bits;
  if (epoll_ctl(epoll_, change, fd, &event) == 0 || bits == 0) return;
  epoll_ctl(epoll_, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

void CurlSockets::RunDue() {
  if (!due_.has_value() || *due_ > std::chrono::steady_clock::now()) return;
  due_.reset();
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
}

void CurlSockets::OnEvent(int fd, uint32_t bits) {
  const auto it = sockets_.find(fd);
  if (it == sockets_.end()) return;  // closed by an event before this one
  if (it->second.wanted == 0) {
    // An idle connection that the other side closes. curl finds out before it uses it again.
    return Register(fd, it->second, 0);
  }
  int what = 0;
  if ((bits & (EPOLLIN | EPOLLHUP)) != 0) what |= CURL_CSELECT_IN;
  if ((bits & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
  if ((bits & EPOLLERR) != 0) what |= CURL_CSELECT_ERR;
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
}

void CurlSockets::Wait() {
  int millis = kMaxWaitMillis;
  if (due_.has_value()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*due_ - std::chrono::steady_clock::now());
    millis = static_cast<int>(std::clamp<int64_t>(left.count(), 0, kMaxWaitMillis));
  }
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), millis);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.fd != wake_) {
      OnEvent(event.data.fd, event.events);
      continue;
    }
    uint64_t unused = 0;
    [[maybe_unused]] const ssize_t got = read(wake_, &unused, sizeof unused);
    woken_ = false;
  }
  RunDue();
}

void CurlSockets::Wake() {
  if (woken_.exchange(true)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof one);
}

}  // namespace sealane::http
