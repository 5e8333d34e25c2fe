#include "lib/http/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server_session.h"
#include "lib/http/server_tls.h"

namespace sealane::http {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// How soon it is tried again to take a connection when the system gave none.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(50);

absl::Duration MonotonicNow() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

struct Core final : ServerCore, std::enable_shared_from_this<Core> {
  using ServerCore::ServerCore;
  void Post(std::function<void()> fn) override { asio::post(io, std::move(fn)); }
  bool CloseOneWaiting() override { return close_one(); }
  void Knock(uint64_t connection, const std::string& source) override {
    gate.Knock(connection, source, MonotonicNow());
    open_gate();
  }
  void LeaveGate(uint64_t connection) override {
    gate.Leave(connection);
    // Not now: the connection is in the middle of something.
    if (gate.waiting() > 0 && !stopped) Post([core = shared_from_this()] { core->open_gate(); });
    CountGate();
  }
  void CountGate() {
    handshakes_delayed = gate.delayed();
    handshakes_refused = gate.refused();
  }

  asio::io_context io{1};
  std::function<bool()> close_one;
  std::function<void()> open_gate;
  HandshakeGate gate{options.handshakes};  // I/O thread only
  std::atomic<uint64_t> handshakes_delayed{0};
  std::atomic<uint64_t> handshakes_refused{0};
};

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(HttpServerOptions options, Executor& executor, Handler handler)
      : core_(std::make_shared<Core>(std::move(options), executor, std::move(handler))),
        acceptor_(core_->io),
        sweep_(core_->io),
        pause_(core_->io),
        gate_wakes_(core_->io) {
    core_->close_one = [this] { return CloseOneWaiting(); };
    core_->open_gate = [this] { OpenGate(); };
  }

  absl::Status Listen() {
    const HttpServerOptions& options = core_->options;
    const size_t colon = options.listen.rfind(':');
    error_code error;
    std::string host = options.listen.substr(0, colon);
    if (host.empty()) host = "0.0.0.0";
    const auto address = asio::ip::make_address(host, error);
    int port = -1;
    if (colon != std::string::npos && options.listen.size() - colon <= 6 &&
        options.listen.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
      port = std::atoi(options.listen.c_str() + colon + 1);
    }
    if (error || port < 0 || port > 65535) {
      return InvalidArgument(
          StrCat("listen address must be IP:port, not \"", options.listen, "\""));
    }
    if (!options.certificate_pem.empty()) {
      SEALANE_ASSIGN_OR_RETURN(
          tls_, MakeServerTls(options.certificate_pem, options.private_key_pem,
                              options.client_ca_pem, options.client_certificate_optional));
    }
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      return Unavailable(StrCat("cannot listen on ", options.listen, ": ", error.message()));
    port_ = acceptor_.local_endpoint().port();
    Accept();
    Sweep();
    thread_ = std::thread([this] { core_->io.run(); });
    return absl::OkStatus();
  }

  void Stop() {
    if (core_->stopped.exchange(true)) return;
    asio::post(core_->io, [this] {
      error_code ignored;
      acceptor_.close(ignored);
      sweep_.cancel();
      pause_.cancel();
      gate_wakes_.cancel();
      auto sessions = sessions_;
      for (auto& entry : sessions) {
        entry.second->Close();
      }
    });
    if (thread_.joinable()) thread_.join();
  }

  absl::Status SetTls(const std::string& certificate, const std::string& key,
                      const std::string& client_ca) {
    if (core_->options.certificate_pem.empty()) {
      return InvalidArgument("the server was started without TLS");
    }
    SEALANE_ASSIGN_OR_RETURN(auto tls, MakeServerTls(certificate, key, client_ca,
                                                     core_->options.client_certificate_optional));
    asio::post(core_->io, [self = shared_from_this(), tls = std::move(tls)]() mutable {
      self->tls_ = std::move(tls);
    });
    return absl::OkStatus();
  }

  int port() const { return port_; }
  const Core& core() const { return *core_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (core_->stopped || error == asio::error::operation_aborted) return;
      if (error) return NoneTaken();
      if (core_->connections < core_->options.max_connections || CloseOneWaiting()) {
        Open(std::move(socket));
      } else {
        ++core_->refused;
      }
      Accept();
    });
  }

  // The process has no file descriptor left, or the system no memory.
  void NoneTaken() {
    CloseOneWaiting();
    pause_.expires_after(absl::ToChronoNanoseconds(kAcceptPause));
    pause_.async_wait([this](error_code error) {
      if (!error && !core_->stopped) Accept();
    });
  }

  bool CloseOneWaiting() {
    const auto first = core_->line.First();
    if (!first) return false;
    ++core_->gave_way;
    const auto session = sessions_.at(*first);
    session->Close();
    return true;
  }

  // Every wait has a time of its own, except that for the next request behind a stream.
  void Sweep() {
    while (const auto overdue = core_->line.Overdue()) {
      const auto session = sessions_.at(*overdue);
      session->Close();
    }
    core_->line.Mark();
    const HttpServerOptions& o = core_->options;
    sweep_.expires_after(absl::ToChronoNanoseconds(o.handshake_timeout + o.idle_timeout +
                                                   o.head_timeout + o.request_timeout));
    sweep_.async_wait([this](error_code error) {
      if (!error && !core_->stopped) Sweep();
    });
  }

  // Begins the handshakes whose turn it is, and waits for the next turn.
  void OpenGate() {
    HandshakeGate& gate = core_->gate;
    const absl::Duration now = MonotonicNow();
    while (const auto next = gate.Next(now)) {
      const auto session = sessions_.at(*next);
      if (session->Admit()) continue;
      gate.Withdraw(*next);
      session->Close();
    }
    core_->CountGate();
    gate_wakes_.cancel();
    const auto wake = gate.WakeAt();
    if (!wake.has_value() || core_->stopped) return;
    gate_wakes_.expires_after(absl::ToChronoNanoseconds(*wake - now));
    gate_wakes_.async_wait([this](error_code error) {
      if (!error && !core_->stopped) OpenGate();
    });
  }

  void Open(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const int family = socket.local_endpoint(ignored).protocol().family();
    const auto session = MakeSession(core_, core_->io, socket.release(ignored), family, tls_.get());
    if (session == nullptr) return;
    const uint64_t id = next_session_++;
    sessions_[id] = session;
    session->on_end = [this, id] { sessions_.erase(id); };
    session->Begin(id);
  }

  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
  asio::steady_timer sweep_;
  asio::steady_timer pause_;
  asio::steady_timer gate_wakes_;
  std::shared_ptr<asio::ssl::context> tls_;  // null: no TLS
  // Keeps a connection alive while its answer is awaited and no I/O is pending; ends with Close.
  std::map<uint64_t, std::shared_ptr<SessionBase>> sessions_;
  uint64_t next_session_ = 1;
  int port_ = 0;
  std::thread thread_;
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              Executor& executor, Handler handler) {
  auto impl = std::make_shared<Impl>(std::move(options), executor, std::move(handler));
  SEALANE_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

void HttpServer::Stop() { impl_->Stop(); }
absl::Status HttpServer::SetTls(std::string certificate_pem, std::string private_key_pem,
                                std::string client_ca_pem) {
  return impl_->SetTls(certificate_pem, private_key_pem, client_ca_pem);
}
int HttpServer::port() const { return impl_->port(); }
size_t HttpServer::connections() const { return impl_->core().connections; }
uint64_t HttpServer::gave_way() const { return impl_->core().gave_way; }
uint64_t HttpServer::refused() const { return impl_->core().refused; }
uint64_t HttpServer::not_taken() const { return impl_->core().not_taken; }
uint64_t HttpServer::handshakes_delayed() const { return impl_->core().handshakes_delayed; }
uint64_t HttpServer::handshakes_refused() const { return impl_->core().handshakes_refused; }

}  // namespace sealane::http
