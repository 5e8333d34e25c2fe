#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "lib/http/message.h"

namespace sealane::http {

// Where a handler puts its answer: either one Send, or StartStream, Write..., End. The handler may
// keep the writer and answer later. Dropping the last reference unanswered answers 500 (or cuts a
// stream). Calls after the answer ended or the client left are ignored.
//
// Thread rule: safe from any thread, but one writer is used by one thread at a time.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual void Send(HttpResponse response) = 0;
  // Begins a response whose body is written piece by piece (chunked).
  virtual void StartStream(int status, Headers headers) = 0;
  virtual void Write(std::string chunk) = 0;
  // The same for a piece that many answers share: it is in memory once, however many wait for it.
  virtual void WriteShared(std::shared_ptr<const std::string> chunk) { Write(*chunk); }
  virtual void End() = 0;
  // Ends the answer and cuts the connection at once, whatever the client has not taken yet.
  virtual void Abort() { End(); }
  // `fn` runs on the handler's executor when the client leaves before the answer ended. Set it
  // once.
  virtual void OnClose(std::function<void()> fn) = 0;
  // Keeps `ticket` until the client has taken the whole answer or is gone, and lets go of it then,
  // on any thread: who bounds answers under way learns in this way of those that nobody reads.
  // Without a connection behind it the writer does not keep it.
  virtual void Hold(std::shared_ptr<void> ticket) { ticket.reset(); }
  // Bytes written but not yet taken by the client: lets a stream give up on a slow reader.
  [[nodiscard]] virtual size_t pending_bytes() const = 0;
};

// Passes everything on: for those that only look at some of it.
class ForwardingWriter : public ResponseWriter {
 public:
  explicit ForwardingWriter(std::shared_ptr<ResponseWriter> next) : next_(std::move(next)) {}
  void Send(HttpResponse response) override { next_->Send(std::move(response)); }
  void StartStream(int status, Headers headers) override {
    next_->StartStream(status, std::move(headers));
  }
  void Write(std::string chunk) override { next_->Write(std::move(chunk)); }
  void WriteShared(std::shared_ptr<const std::string> chunk) override {
    next_->WriteShared(std::move(chunk));
  }
  void End() override { next_->End(); }
  void Abort() override { next_->Abort(); }
  void OnClose(std::function<void()> fn) override { next_->OnClose(std::move(fn)); }
  void Hold(std::shared_ptr<void> ticket) override { next_->Hold(std::move(ticket)); }
  [[nodiscard]] size_t pending_bytes() const override { return next_->pending_bytes(); }

 private:
  std::shared_ptr<ResponseWriter> next_;
};

using Handler = std::function<void(const HttpRequest&, std::shared_ptr<ResponseWriter>)>;

}  // namespace sealane::http
