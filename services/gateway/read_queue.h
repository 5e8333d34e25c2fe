#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/core/env.h"
#include "lib/core/places.h"
#include "lib/http/handler.h"

namespace sealane::gateway {

// Serves the users' reads in turn: one of each user who has any, then again. So a user who asks for
// a thousand lists makes others wait for one of them, not for all.
//
// A user has so many reads, waiting or with an answer that the client has not taken yet, and no
// more. While too many bytes of his answers are not taken, his next reads wait: answers for a
// client that does not read cost so much memory, however many there are. A stream counts until it
// begins.
// Thread rule: the executor's thread.
class ReadQueue {
 public:
  struct Options {
    size_t max_reads = 500;               // of one user
    size_t max_untaken_bytes = 64 << 20;  // of one user; one answer may be larger
  };
  using Serve = std::function<void(std::shared_ptr<http::ResponseWriter>)>;

  ReadQueue(Executor& executor, Options options);
  // Reads that wait are dropped. Answers may end later.
  ~ReadQueue();
  ReadQueue(const ReadQueue&) = delete;
  ReadQueue& operator=(const ReadQueue&) = delete;

  // Calls `serve` when it is the user's turn, never inside. False: the user has too many reads.
  [[nodiscard]] bool Add(const std::string& user, std::shared_ptr<http::ResponseWriter> writer,
                         Serve serve);

 private:
  class Writer;
  struct Link;
  struct Read {
    std::shared_ptr<http::ResponseWriter> writer;
    Serve serve;
  };
  struct User {
    std::deque<Read> waiting;
    size_t untaken_bytes = 0;  // of answers
  };

  void Wake();
  void ServeNext();
  // A read of the user is over, and so many bytes with it.
  void Over(const std::string& user, size_t bytes);

  const Options options_;
  Executor& executor_;
  Places reads_;                       // waiting ones too
  std::map<std::string, User> users_;  // those who have reads
  std::string last_;                   // whose turn it was
  bool woken_ = false;
  std::shared_ptr<Link> link_;  // from tickets, which outlive this
};

}  // namespace sealane::gateway
