#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/core/env.h"
#include "lib/http/connection_line.h"
#include "lib/http/handler.h"
#include "lib/http/server.h"

// The parts of HttpServer that its connections and the answers to requests share. Private to it.
namespace sealane::http {

// What sessions share with the server; outlives both through writers that handlers still hold.
class ServerCore {
 public:
  ServerCore(HttpServerOptions o, Executor& e, Handler h)
      : options(std::move(o)), executor(e), handler(std::move(h)) {}
  virtual ~ServerCore() = default;
  // Runs `fn` on the I/O thread.
  virtual void Post(std::function<void()> fn) = 0;
  // Closes the connection that gives way next. False: there is none. I/O thread only.
  virtual bool CloseOneWaiting() = 0;
  // The client of a connection begins a TLS handshake: its Admit is called when its turn comes.
  // Then, or when it closes, the connection tells that its place is free. I/O thread only.
  virtual void Knock(uint64_t connection, const std::string& source) = 0;
  virtual void LeaveGate(uint64_t connection) = 0;

  HttpServerOptions options;
  Executor& executor;
  Handler handler;
  std::atomic<size_t> connections{0};
  std::atomic<size_t> body_bytes{0};  // of requests that no handler has seen yet
  std::atomic<uint64_t> gave_way{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> not_taken{0};
  std::atomic<bool> stopped{false};
  ConnectionLine line;  // I/O thread only
};

// Some bytes of an answer: `text`, then what is shared with other answers, then `tail`.
struct Piece {
  std::string text;
  std::shared_ptr<const std::string> shared = nullptr;
  std::string_view tail = {};  // of static text
  bool last = false;           // ends the answer
  bool close = false;          // and then the connection ends

  [[nodiscard]] size_t size() const {
    return text.size() + (shared == nullptr ? 0 : shared->size()) + tail.size();
  }
};

// A connection as its writers see it. I/O thread only.
class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void Begin(uint64_t id) = 0;
  // Its TLS handshake begins, if the client is still there. False: it is not.
  [[nodiscard]] virtual bool Admit() = 0;
  virtual void Close() = 0;
  // Sends a piece of the answer numbered `request`.
  virtual void Output(uint64_t request, Piece piece) = 0;
  // Closes the connection if that answer has not ended.
  virtual void Cut(uint64_t request) = 0;
  std::function<void()> on_end;
};

// The head of a response, without what tells the body's length and the empty line.
[[nodiscard]] std::string HeaderText(int status, const Headers& headers, bool keep_alive);

// The answer to one request. All state that the I/O thread shares with it is atomic, or handed over
// by posting.
class ServerWriter final : public ResponseWriter {
 public:
  struct Shared {
    std::atomic<size_t> pending{0};
    std::atomic<bool> gone{false};
    std::function<void()> on_close;              // executor's thread only
    std::vector<std::shared_ptr<void>> tickets;  // I/O thread only
  };

  ServerWriter(std::shared_ptr<ServerCore> core, std::weak_ptr<SessionBase> session,
               uint64_t request, bool head, bool keep_alive);
  ~ServerWriter() override;
  void Send(HttpResponse response) override;
  void StartStream(int status, Headers headers) override;
  void Write(std::string chunk) override;
  void WriteShared(std::shared_ptr<const std::string> chunk) override;
  void End() override;
  void Abort() override;
  void OnClose(std::function<void()> fn) override;
  void Hold(std::shared_ptr<void> ticket) override;
  size_t pending_bytes() const override { return shared_->pending; }

  // The client has left before the answer ended. Thread rule: any.
  static void NotifyClose(ServerCore& core, const std::shared_ptr<Shared>& shared);
  [[nodiscard]] const std::shared_ptr<Shared>& shared() const { return shared_; }

 private:
  enum class State { kNew, kStreaming, kDone };

  void Output(Piece piece);

  std::shared_ptr<ServerCore> core_;
  std::weak_ptr<SessionBase> session_;
  uint64_t request_;
  bool head_;
  bool keep_alive_;
  State state_ = State::kNew;
  std::shared_ptr<Shared> shared_;
};

}  // namespace sealane::http
