#include "lib/http/server_session.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/strings.h"
#include "lib/http/server_tls.h"

namespace sealane::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Most bytes that one write gives to the connection; each has `write_timeout` of its own.
constexpr size_t kSlice = 16 << 10;
constexpr size_t kMaxHead = 64 << 10;
// Most bytes that are kept of what a client sent and nobody has asked for yet.
constexpr size_t kMaxUnread = kMaxHead + (16 << 10);
// How long, and how much, what a refused client still sends is read and forgotten: an answer is
// lost when the connection is closed with bytes of the client in it.
constexpr absl::Duration kLinger = absl::Seconds(2);
constexpr size_t kMaxLinger = 16 << 20;
// Whether two readers could see different requests in these bytes: both ways of telling the body's
// length, either of them twice, an encoding other than chunked, or two of what there is one of.
template <typename Fields>
bool Ambiguous(const Fields& fields) {
  if (fields.count(beast::http::field::host) > 1) return true;
  if (fields.count(beast::http::field::authorization) > 1) return true;
  const auto encodings = fields.count(beast::http::field::transfer_encoding);
  const auto lengths = fields.count(beast::http::field::content_length);
  if (encodings + lengths > 1) return true;
  const auto length = fields[beast::http::field::content_length];  // "5, 5" is a list of two
  if (length.find_first_not_of("0123456789") != length.npos) return true;
  return encodings == 1 &&
         !beast::iequals(fields[beast::http::field::transfer_encoding], "chunked");
}

// What is counted as one source of handshakes: an address, or the network that one IPv6 host has
// for itself. Empty: the client has left.
std::string SourceOf(const tcp::socket& socket) {
  error_code error;
  const asio::ip::address address = socket.remote_endpoint(error).address();
  if (error || address.is_v4()) return error ? "" : address.to_string();
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  }
  const auto bytes = v6.to_bytes();
  return {bytes.begin(), bytes.begin() + 8};
}

// One connection. Runs on the I/O thread only.
template <typename Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(std::shared_ptr<ServerCore> core, Stream stream)
      : core_(std::move(core)), stream_(std::move(stream)) {
    ++core_->connections;
  }
  ~Session() override {
    if (!closed_) --core_->connections;
    ClientGone();
    ForgetBody();
  }

  void Begin(uint64_t id) override {
    id_ = id;
    core_->line.Wait(id_, served_);
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
      ReadRequest();
    } else {
      // One timer for all: until the client speaks, until its turn comes, and until it is done.
      patience_.emplace(stream_.get_executor(),
                        absl::ToChronoNanoseconds(core_->options.handshake_timeout));
      patience_->async_wait([weak = this->weak_from_this()](error_code error) {
        if (const auto self = weak.lock(); self != nullptr && !error) self->Close();
      });
      socket().async_wait(tcp::socket::wait_read,
                          [self = this->shared_from_this()](error_code error) {
                            if (self->closed_) return;
                            if (error) return self->Close();
                            self->core_->Knock(self->id_, SourceOf(self->socket()));
                          });
    }
  }

  bool Admit() override {
    if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
      // Who has left costs no handshake.
      pollfd left = {socket().native_handle(), POLLRDHUP, 0};
      if (poll(&left, 1, 0) > 0) return false;
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (error || self->closed_) return self->Close();
                                self->patience_.reset();
                                self->core_->LeaveGate(self->id_);
                                self->peer_ = VerifiedPeer(self->stream_.native_handle());
                                self->ReadRequest();
                              });
    }
    return true;
  }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    --core_->connections;
    core_->line.Leave(id_);
    core_->LeaveGate(id_);
    patience_.reset();
    error_code ignored;
    socket().shutdown(tcp::socket::shutdown_both, ignored);
    beast::get_lowest_layer(stream_).close();
    ClientGone();
    ForgetBody();
    if (this->on_end) std::exchange(this->on_end, nullptr)();
  }

  void Output(uint64_t request, Piece piece) override {
    if (closed_ || request != request_) return;
    const bool last = piece.last;
    queue_.push_back(std::move(piece));
    if (!last) {
      if (answer_ && answer_->pending > core_->options.max_pending_bytes) {
        ++core_->not_taken;
        return Close();
      }
      WatchForClose();
    }
    if (!writing_) WriteNext();
  }

  void Cut(uint64_t request) override {
    if (request == request_) Close();
  }

 private:
  auto& socket() { return beast::get_lowest_layer(stream_).socket(); }
  // For what is started from now on; what is under way keeps its time.
  void Expire(absl::Duration timeout) {
    beast::get_lowest_layer(stream_).expires_after(absl::ToChronoNanoseconds(timeout));
  }

  // Waits for the next request: first for its first byte, which may be long, then for its head.
  void ReadRequest() {
    if (closed_) return;
    if (buffer_.size() != 0) return ReadHead();
    buffer_.shrink_to_fit();
    Expire(core_->options.idle_timeout);
    reading_ = true;
    stream_.async_read_some(buffer_.prepare(512),
                            [self = this->shared_from_this()](error_code error, size_t size) {
                              self->reading_ = false;
                              if (error) return self->Close();
                              self->buffer_.commit(size);
                              self->core_->line.Wait(self->id_, self->served_);
                              self->ReadHead();
                            });
  }

  void ReadHead() {
    if (closed_) return;
    parser_.emplace();
    parser_->body_limit(core_->options.max_body_bytes);
    parser_->header_limit(kMaxHead);
    Expire(core_->options.head_timeout);
    beast::http::async_read_header(
        stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
          if (self->closed_) return;
          if (error) return self->ReadFailed(error);
          if (Ambiguous(self->parser_->get())) return self->Refuse(400);
          self->Expire(self->core_->options.request_timeout);
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

  // All pieces of the body within the one `request_timeout` that runs.
  void ReadBody() {
    if (closed_) return;
    if (parser_->is_done()) return Dispatch();
    beast::http::async_read_some(stream_, buffer_, *parser_,
                                 [self = this->shared_from_this()](error_code error, size_t) {
                                   if (self->closed_) return;
                                   if (error) return self->ReadFailed(error);
                                   self->CountBody();
                                   self->ReadBody();
                                 });
  }

  // When the bodies that are being read are too large together, who waits longest gives way.
  void CountBody() {
    const size_t now = parser_->get().body().size();
    core_->body_bytes += now - std::exchange(body_bytes_, now);
    while (core_->body_bytes > core_->options.max_reading_bytes && core_->CloseOneWaiting()) {
    }
  }
  void ForgetBody() { core_->body_bytes -= std::exchange(body_bytes_, 0); }

  void ReadFailed(error_code error) {
    if (error == beast::http::error::body_limit) return Refuse(413);
    if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
      return Refuse(431);
    }
    if (error == beast::http::error::end_of_stream ||
        error.category() != make_error_code(beast::http::error::bad_target).category()) {
      return Close();
    }
    Refuse(400);
  }

  void Refuse(int status) {
    if (closed_) return;
    ForgetBody();
    parser_.reset();
    ++request_;
    lingers_ = true;
    Output(request_, {.text = HeaderText(status, {}, false) + "Content-Length: 0\r\n\r\n",
                      .last = true,
                      .close = true});
  }

  void Dispatch() {
    core_->line.Leave(id_);
    auto message = parser_->release();
    parser_.reset();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.path = std::string(message.target());
    for (const auto& field : message) {
      request.headers.Add({field.name_string().data(), field.name_string().size()},
                          {field.value().data(), field.value().size()});
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    auto writer = std::make_shared<ServerWriter>(
        core_, std::weak_ptr<SessionBase>(this->shared_from_this()), ++request_,
        message.method() == beast::http::verb::head, message.keep_alive());
    answer_ = writer->shared();
    // The body counts until the handler has seen it.
    std::shared_ptr<void> counted(
        core_.get(), [core = core_, bytes = body_bytes_](void*) { core->body_bytes -= bytes; });
    body_bytes_ = 0;
    // The handler may run after Stop began: it then finds the core alive but nobody listening.
    core_->executor.Post(
        [core = core_, request = std::move(request), writer,
         counted = std::move(counted)]() mutable { core->handler(request, std::move(writer)); });
  }

  // Reads while a stream runs, to notice that the client leaves.
  void WatchForClose() {
    // Who has sent more already is here; it is read when its turn comes.
    if (reading_ || closed_ || buffer_.size() != 0) return;
    reading_ = true;
    beast::get_lowest_layer(stream_).expires_never();
    stream_.async_read_some(buffer_.prepare(512),
                            [self = this->shared_from_this()](error_code error, size_t size) {
                              self->reading_ = false;
                              if (error) return self->Close();
                              self->buffer_.commit(size);
                              if (self->answer_ == nullptr) self->ReadRequest();
                            });
  }

  // The next bytes of what is queued, up to the end of one answer.
  void WriteNext() {
    if (queue_.empty() || closed_) return;
    std::vector<asio::const_buffer> buffers;
    size_t total = 0;
    size_t skip = written_;
    for (const Piece& piece : queue_) {
      const std::string_view shared = piece.shared == nullptr ? std::string_view() : *piece.shared;
      for (const std::string_view part : {std::string_view(piece.text), shared, piece.tail}) {
        const size_t from = std::min(skip, part.size());
        skip -= from;
        const size_t size = std::min(part.size() - from, kSlice - total);
        if (size != 0) buffers.emplace_back(part.data() + from, size);
        total += size;
      }
      if (piece.last || total == kSlice) break;
    }
    writing_ = true;
    Expire(core_->options.write_timeout);
    asio::async_write(stream_, buffers,
                      [self = this->shared_from_this()](error_code error, size_t size) {
                        self->writing_ = false;
                        if (error == beast::error::timeout) ++self->core_->not_taken;
                        if (error || self->closed_) return self->Close();
                        self->Written(size);
                      });
  }

  void Written(size_t size) {
    if (answer_) answer_->pending -= size;
    written_ += size;
    while (!queue_.empty() && written_ >= queue_.front().size()) {
      written_ -= queue_.front().size();
      const Piece done = std::move(queue_.front());
      queue_.pop_front();
      if (done.last) return AnswerEnded(done.close);
    }
    if (!queue_.empty()) return WriteNext();
    // What reads meanwhile may have to write, for TLS.
    beast::get_lowest_layer(stream_).expires_never();
  }

  void AnswerEnded(bool close) {
    served_ = served_ || !lingers_;
    if (answer_) answer_->tickets.clear();
    answer_ = nullptr;
    if (close && lingers_) return Linger();
    if (close) return Close();
    core_->line.Wait(id_, served_);
    if (!reading_) ReadRequest();
  }

  void Linger() {
    error_code ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
    Expire(kLinger);
    Forget(0);
  }
  void Forget(size_t forgotten) {
    if (forgotten > kMaxLinger || closed_) return Close();
    buffer_.clear();
    beast::get_lowest_layer(stream_).async_read_some(
        buffer_.prepare(16 << 10),
        [self = this->shared_from_this(), forgotten](error_code error, size_t size) {
          if (error) return self->Close();
          self->Forget(forgotten + size);
        });
  }

  void ClientGone() {
    if (answer_ == nullptr) return;
    ServerWriter::NotifyClose(*core_, answer_);
    answer_->tickets.clear();
    answer_ = nullptr;
  }

  std::shared_ptr<ServerCore> core_;
  Stream stream_;
  uint64_t id_ = 0;
  std::optional<asio::steady_timer> patience_;  // until the TLS handshake is done
  beast::flat_buffer buffer_{kMaxUnread};
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::shared_ptr<const PeerCertificate> peer_;
  uint64_t request_ = 0;
  std::shared_ptr<ServerWriter::Shared> answer_;  // of the request being answered
  std::deque<Piece> queue_;
  size_t written_ = 0;     // bytes of the queue's first piece
  size_t body_bytes_ = 0;  // of the request being read
  bool served_ = false;    // had an answer to a request
  bool lingers_ = false;   // was refused
  bool writing_ = false;
  bool reading_ = false;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<SessionBase> MakeSession(std::shared_ptr<ServerCore> core, asio::io_context& io,
                                         int socket, int family, asio::ssl::context* tls) {
  error_code error;
  tcp::socket stream(io);
  stream.assign(family == AF_INET6 ? tcp::v6() : tcp::v4(), socket, error);
  if (error) return nullptr;
  if (tls == nullptr) {
    return std::make_shared<Session<beast::tcp_stream>>(std::move(core),
                                                        beast::tcp_stream(std::move(stream)));
  }
  using TlsStream = beast::ssl_stream<beast::tcp_stream>;
  return std::make_shared<Session<TlsStream>>(
      std::move(core), TlsStream(beast::tcp_stream(std::move(stream)), *tls));
}

}  // namespace sealane::http
