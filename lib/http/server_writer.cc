#include "lib/http/server_writer.h"

#include <cstdio>

#include "lib/core/strings.h"

namespace sealane::http {
namespace {

std::string SizeLine(size_t size) {
  char line[20];
  const int length = snprintf(line, sizeof(line), "%zx\r\n", size);
  return {line, static_cast<size_t>(length)};
}

}  // namespace

std::string HeaderText(int status, const Headers& headers, bool keep_alive) {
  std::string text = StrCat("HTTP/1.1 ", status, " ", StatusPhrase(status), "\r\n");
  for (const auto& field : headers.fields()) {
    text += StrCat(field.first, ": ", field.second, "\r\n");
  }
  if (!keep_alive) text += "Connection: close\r\n";
  return text;
}

ServerWriter::ServerWriter(std::shared_ptr<ServerCore> core, std::weak_ptr<SessionBase> session,
                           uint64_t request, bool head, bool keep_alive)
    : core_(std::move(core)),
      session_(std::move(session)),
      request_(request),
      head_(head),
      keep_alive_(keep_alive),
      shared_(std::make_shared<Shared>()) {}

ServerWriter::~ServerWriter() {
  if (state_ == State::kNew) {
    Send({500, {{"Content-Type", "text/plain"}}, "no answer\n"});
  } else if (state_ == State::kStreaming) {
    Output({.text = "", .last = true, .close = true});
  }
}

void ServerWriter::Send(HttpResponse response) {
  if (state_ != State::kNew) return;
  state_ = State::kDone;
  std::string text = HeaderText(response.status, response.headers, keep_alive_);
  text += StrCat("Content-Length: ", response.body.size(), "\r\n\r\n");
  Piece piece{.text = std::move(text), .last = true, .close = !keep_alive_};
  if (!head_) piece.shared = std::make_shared<const std::string>(std::move(response.body));
  Output(std::move(piece));
}

void ServerWriter::StartStream(int status, Headers headers) {
  if (state_ != State::kNew) return;
  state_ = State::kStreaming;
  Output({.text = HeaderText(status, headers, keep_alive_) + "Transfer-Encoding: chunked\r\n\r\n"});
}

void ServerWriter::Write(std::string chunk) {
  WriteShared(std::make_shared<const std::string>(std::move(chunk)));
}

void ServerWriter::WriteShared(std::shared_ptr<const std::string> chunk) {
  if (state_ != State::kStreaming || chunk->empty() || head_) return;
  Output({.text = SizeLine(chunk->size()), .shared = std::move(chunk), .tail = "\r\n"});
}

void ServerWriter::End() {
  if (state_ != State::kStreaming) return;
  state_ = State::kDone;
  Output({.text = head_ ? "" : "0\r\n\r\n", .last = true, .close = !keep_alive_});
}

void ServerWriter::Abort() {
  if (std::exchange(state_, State::kDone) == State::kDone) return;
  if (shared_->gone || core_->stopped) return;
  core_->Post([session = session_, request = request_] {
    if (auto alive = session.lock()) alive->Cut(request);
  });
}

void ServerWriter::OnClose(std::function<void()> fn) {
  shared_->on_close = std::move(fn);
  if (shared_->gone) NotifyClose(*core_, shared_);
}

void ServerWriter::Hold(std::shared_ptr<void> ticket) {
  if (shared_->gone || core_->stopped) return;
  core_->Post([shared = shared_, ticket = std::move(ticket)] {
    if (!shared->gone) shared->tickets.push_back(ticket);
  });
}

void ServerWriter::NotifyClose(ServerCore& core, const std::shared_ptr<Shared>& shared) {
  shared->gone = true;
  if (core.stopped) return;
  core.executor.Post([shared] {
    if (auto fn = std::exchange(shared->on_close, nullptr)) fn();
  });
}

void ServerWriter::Output(Piece piece) {
  if (shared_->gone || core_->stopped) return;
  shared_->pending += piece.size();
  core_->Post([session = session_, request = request_, piece = std::move(piece)]() mutable {
    if (auto alive = session.lock()) alive->Output(request, std::move(piece));
  });
}

}  // namespace sealane::http
