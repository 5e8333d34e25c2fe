#include "lib/http/server.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server_tls.h"

namespace sealane::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// What sessions share with the server; outlives both through writers that handlers still hold.
struct Core {
  Core(HttpServerOptions o, Executor& e, Handler h)
      : options(std::move(o)), executor(e), handler(std::move(h)) {}

  HttpServerOptions options;
  Executor& executor;
  Handler handler;
  asio::io_context io{1};
  std::atomic<size_t> connections{0};
  std::atomic<bool> stopped{false};
};

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void Begin() = 0;
  virtual void Close() = 0;
  // Sends bytes of the answer numbered `request`; `last` ends that answer.
  virtual void Output(uint64_t request, std::string bytes, bool last, bool close) = 0;
  // Closes the connection if that answer has not ended.
  virtual void Cut(uint64_t request) = 0;
  std::function<void()> on_end;
};

std::string HeaderText(int status, const Headers& headers, bool keep_alive) {
  std::string text = StrCat("HTTP/1.1 ", status, " ", StatusPhrase(status), "\r\n");
  for (const auto& field : headers.fields()) {
    text += StrCat(field.first, ": ", field.second, "\r\n");
  }
  if (!keep_alive) text += "Connection: close\r\n";
  return text;
}

// Whether two readers could see different ends of the body, and so different requests behind it:
// both ways of telling its length, either of them twice, or an encoding other than chunked.
template <typename Fields>
bool AmbiguousLength(const Fields& fields) {
  const auto encodings = fields.count(beast::http::field::transfer_encoding);
  const auto lengths = fields.count(beast::http::field::content_length);
  if (encodings + lengths > 1) return true;
  return encodings == 1 &&
         !beast::iequals(fields[beast::http::field::transfer_encoding], "chunked");
}

// The answer to one request. All state that the I/O thread shares with it is atomic.
class Writer final : public ResponseWriter {
 public:
  struct Shared {
    std::atomic<size_t> pending{0};
    std::atomic<bool> gone{false};
    std::function<void()> on_close;  // executor's thread only
  };

  Writer(std::shared_ptr<Core> core, std::weak_ptr<SessionBase> session, uint64_t request,
         bool head, bool keep_alive)
      : core_(std::move(core)),
        session_(std::move(session)),
        request_(request),
        head_(head),
        keep_alive_(keep_alive),
        shared_(std::make_shared<Shared>()) {}
  ~Writer() override {
    if (state_ == State::kNew) {
      Send({500, {{"Content-Type", "text/plain"}}, "no answer\n"});
    } else if (state_ == State::kStreaming) {
      Output("", /*last=*/true, /*close=*/true);
    }
  }

  void Send(HttpResponse response) override {
    if (state_ != State::kNew) return;
    state_ = State::kDone;
    std::string text = HeaderText(response.status, response.headers, keep_alive_);
    text += StrCat("Content-Length: ", response.body.size(), "\r\n\r\n");
    if (!head_) text += response.body;
    Output(std::move(text), true, !keep_alive_);
  }
  void StartStream(int status, Headers headers) override {
    if (state_ != State::kNew) return;
    state_ = State::kStreaming;
    Output(HeaderText(status, headers, keep_alive_) + "Transfer-Encoding: chunked\r\n\r\n", false,
           false);
  }
  void Write(std::string chunk) override {
    if (state_ != State::kStreaming || chunk.empty() || head_) return;
    char size[20];
    const int length = snprintf(size, sizeof(size), "%zx\r\n", chunk.size());
    std::string text(size, static_cast<size_t>(length));
    text += chunk;
    text += "\r\n";
    Output(std::move(text), false, false);
  }
  void End() override {
    if (state_ != State::kStreaming) return;
    state_ = State::kDone;
    Output(head_ ? "" : "0\r\n\r\n", true, !keep_alive_);
  }
  void Abort() override {
    if (std::exchange(state_, State::kDone) == State::kDone) return;
    if (shared_->gone || core_->stopped) return;
    asio::post(core_->io, [session = session_, request = request_] {
      if (auto alive = session.lock()) alive->Cut(request);
    });
  }
  void OnClose(std::function<void()> fn) override {
    shared_->on_close = std::move(fn);
    if (shared_->gone) NotifyClose(*core_, shared_);
  }
  size_t pending_bytes() const override { return shared_->pending; }

  static void NotifyClose(Core& core, const std::shared_ptr<Shared>& shared) {
    shared->gone = true;
    if (core.stopped) return;
    core.executor.Post([shared] {
      if (auto fn = std::exchange(shared->on_close, nullptr)) fn();
    });
  }
  const std::shared_ptr<Shared>& shared() const { return shared_; }

 private:
  enum class State { kNew, kStreaming, kDone };

  void Output(std::string text, bool last, bool close) {
    if (shared_->gone || core_->stopped) return;
    shared_->pending += text.size();
    asio::post(core_->io, [session = session_, request = request_, text = std::move(text), last,
                           close]() mutable {
      if (auto alive = session.lock()) alive->Output(request, std::move(text), last, close);
    });
  }

  std::shared_ptr<Core> core_;
  std::weak_ptr<SessionBase> session_;
  uint64_t request_;
  bool head_;
  bool keep_alive_;
  State state_ = State::kNew;
  std::shared_ptr<Shared> shared_;
};

// One connection. Runs on the I/O thread only.
template <typename Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(std::shared_ptr<Core> core, Stream stream)
      : core_(std::move(core)), stream_(std::move(stream)) {}
  ~Session() override {
    --core_->connections;
    ClientGone();
  }

  void Begin() override {
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
      ReadHeader();
    } else {
      beast::get_lowest_layer(stream_).expires_after(Timeout(core_->options.request_timeout));
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (error) return self->Close();
                                self->peer_ = VerifiedPeer(self->stream_.native_handle());
                                self->ReadHeader();
                              });
    }
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(tcp::socket::shutdown_both, ignored);
    beast::get_lowest_layer(stream_).close();
    ClientGone();
    if (this->on_end) std::exchange(this->on_end, nullptr)();
  }

  void Output(uint64_t request, std::string bytes, bool last, bool close) override {
    if (closed_ || request != request_) return;
    queue_.push_back({std::move(bytes), last, close});
    if (answer_ && answer_->pending > core_->options.max_pending_bytes) return Close();
    if (!last) WatchForClose();
    if (!writing_) WriteNext();
  }

  void Cut(uint64_t request) override {
    if (request == request_) Close();
  }

 private:
  struct Piece {
    std::string bytes;
    bool last;
    bool close;
  };

  static std::chrono::nanoseconds Timeout(absl::Duration d) { return absl::ToChronoNanoseconds(d); }

  void ReadHeader() {
    parser_.emplace();
    parser_->body_limit(core_->options.max_body_bytes);
    parser_->header_limit(64 << 10);
    beast::get_lowest_layer(stream_).expires_after(Timeout(core_->options.idle_timeout));
    beast::http::async_read_header(
        stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
          if (error) return self->ReadFailed(error);
          if (AmbiguousLength(self->parser_->get())) return self->Refuse(400);
          if (self->parser_->get()[beast::http::field::expect] == "100-continue") {
            self->Continue();
          } else {
            self->ReadBody();
          }
        });
  }

  void Continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                      [self = this->shared_from_this()](error_code error, size_t) {
                        if (error) return self->Close();
                        self->ReadBody();
                      });
  }

  void ReadBody() {
    beast::get_lowest_layer(stream_).expires_after(Timeout(core_->options.request_timeout));
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](error_code error, size_t) {
                              if (error) return self->ReadFailed(error);
                              self->Dispatch();
                            });
  }

  void ReadFailed(error_code error) {
    if (error == beast::http::error::body_limit) return Refuse(413);
    if (error == beast::http::error::end_of_stream ||
        error.category() != make_error_code(beast::http::error::bad_target).category()) {
      return Close();
    }
    Refuse(400);
  }

  void Refuse(int status) {
    ++request_;
    Output(request_, HeaderText(status, {}, false) + "Content-Length: 0\r\n\r\n", true, true);
  }

  void Dispatch() {
    auto message = parser_->release();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.path = std::string(message.target());
    for (const auto& field : message) {
      request.headers.Add({field.name_string().data(), field.name_string().size()},
                          {field.value().data(), field.value().size()});
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    beast::get_lowest_layer(stream_).expires_never();
    auto writer = std::make_shared<Writer>(
        core_, std::weak_ptr<SessionBase>(this->shared_from_this()), ++request_,
        message.method() == beast::http::verb::head, message.keep_alive());
    answer_ = writer->shared();
    // The handler may run after Stop began: it then finds the core alive but nobody listening.
    core_->executor.Post([core = core_, request = std::move(request), writer]() mutable {
      core->handler(request, std::move(writer));
    });
  }

  // Reads while a stream runs, to notice that the client leaves.
  void WatchForClose() {
    if (reading_) return;
    reading_ = true;
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = this->shared_from_this()](error_code error, size_t size) {
                              self->reading_ = false;
                              if (error) return self->Close();
                              self->buffer_.commit(size);
                              if (self->answer_ == nullptr) self->ReadHeader();
                            });
  }

  void WriteNext() {
    if (queue_.empty() || closed_) return;
    writing_ = true;
    asio::async_write(stream_, asio::buffer(queue_.front().bytes),
                      [self = this->shared_from_this()](error_code error, size_t size) {
                        self->writing_ = false;
                        if (error || self->closed_) return self->Close();
                        if (self->answer_) self->answer_->pending -= size;
                        const Piece done = std::move(self->queue_.front());
                        self->queue_.pop_front();
                        if (done.close) return self->Close();
                        if (!done.last) return self->WriteNext();
                        self->answer_ = nullptr;
                        if (!self->reading_) self->ReadHeader();
                      });
  }

  void ClientGone() {
    if (answer_ == nullptr) return;
    Writer::NotifyClose(*core_, answer_);
    answer_ = nullptr;
  }

  std::shared_ptr<Core> core_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::shared_ptr<const PeerCertificate> peer_;
  uint64_t request_ = 0;
  std::shared_ptr<Writer::Shared> answer_;  // of the request being answered
  std::deque<Piece> queue_;
  bool writing_ = false;
  bool reading_ = false;
  bool closed_ = false;
};

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(HttpServerOptions options, Executor& executor, Handler handler)
      : core_(std::make_shared<Core>(std::move(options), executor, std::move(handler))),
        acceptor_(core_->io) {}

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
    thread_ = std::thread([this] { core_->io.run(); });
    return absl::OkStatus();
  }

  void Stop() {
    if (core_->stopped.exchange(true)) return;
    asio::post(core_->io, [this] {
      error_code ignored;
      acceptor_.close(ignored);
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
  size_t connections() const { return core_->connections; }

 private:
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (core_->stopped || error == asio::error::operation_aborted) return;
      if (!error && core_->connections < core_->options.max_connections) Open(std::move(socket));
      Accept();
    });
  }

  void Open(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ++core_->connections;
    if (tls_) {
      using TlsStream = beast::ssl_stream<beast::tcp_stream>;
      Track(std::make_shared<Session<TlsStream>>(
          core_, TlsStream(beast::tcp_stream(std::move(socket)), *tls_)));
    } else {
      Track(std::make_shared<Session<beast::tcp_stream>>(core_,
                                                         beast::tcp_stream(std::move(socket))));
    }
  }

  void Track(const std::shared_ptr<SessionBase>& session) {
    const uint64_t id = next_session_++;
    sessions_[id] = session;
    session->on_end = [this, id] { sessions_.erase(id); };
    session->Begin();
  }

  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
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
size_t HttpServer::connections() const { return impl_->connections(); }

}  // namespace sealane::http
