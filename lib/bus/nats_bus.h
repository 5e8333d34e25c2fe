#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/core/env.h"

namespace sealane {

// How to reach a NATS server and who we are there.
struct NatsOptions {
  std::vector<std::string> urls = {"nats://127.0.0.1:4222"};
  std::string user;
  std::string password;
  // Files whose first lines are user and password. These, the credentials and the certificates are
  // read whenever a connection is made, and looked at every few seconds: when they have changed,
  // the connections are made again with what they say.
  std::string user_file;
  std::string password_file;
  std::string creds_file;   // JWT and seed of an operator-mode user
  std::string nkey_public;  // with nkey_seed_file
  std::string nkey_seed_file;
  std::string tls_ca_file;  // any of these turns TLS on; the server's name is verified
  std::string tls_cert_file;
  std::string tls_key_file;
  std::string name;                                  // shown in the server's connection list
  absl::Duration append_timeout = absl::Seconds(4);  // then the result is unknown
  int max_appends_in_flight = 4096;                  // more wait here
  // Bursts of unordered appends go over a connection of their own, whose packets the library
  // gathers for about a millisecond: several times less work for both ends. For processes that
  // write much; it costs two threads and two buffers.
  bool gather_appends = false;
  // How often watches and consumers compare the stream's life with what they remember.
  absl::Duration check_every = absl::Seconds(30);
  // Received but not yet handled core messages beyond this are dropped, which is told as a short
  // disconnection, so that everyone who may have missed something reads again.
  size_t max_inbound_bytes = 256 << 20;
  // Told on the executor thread: errors that have no caller (a refused permission, a slow consumer,
  // a failed attempt to connect).
  std::function<void(std::string_view what)> on_error;
  // Told on the executor thread: how long an append that was answered with success took. May be
  // empty.
  std::function<void(absl::Duration took)> on_append;
};

// Counters of one bus; read them on the executor thread.
struct NatsStats {
  uint64_t connects = 0;  // times that a connection was made or came back
  uint64_t disconnects = 0;
  uint64_t errors = 0;   // told to on_error
  uint64_t dropped = 0;  // messages over max_inbound_bytes
  uint64_t appends = 0;  // answered with success
  uint64_t append_timeouts = 0;
  uint64_t resyncs = 0;  // watches that began a snapshot again, consumers that began again
  // Stream -> messages that the server still had for us when it sent the last one, of the reader
  // that is furthest behind; streams that are read at present.
  std::map<std::string, uint64_t> pending;
};

// The bus over a NATS server, with the client library's rough edges covered: callbacks of the
// library only enqueue; everything is decided on the executor; nothing is waited for; JetStream is
// spoken through its JSON interface, so that recovery is ours (see docs/architecture.md and the
// rules in lib/bus/nats_connection.h). Works on accounts without JetStream too: there Append
// reaches a stream of another account through an import.
//
// Connecting happens in the background and never ends; use OnState. Thread rule: as of Bus.
class NatsBus : public Bus {
 public:
  // Fails for options that can never work (no url, unreadable files).
  static absl::StatusOr<std::unique_ptr<NatsBus>> Create(Env env, NatsOptions options);
  [[nodiscard]] virtual NatsStats stats() const = 0;
  // Why the server does not serve although there is a connection to it (a cluster without a
  // majority), for people; "" when it does.
  [[nodiscard]] virtual std::string Trouble() const = 0;
  // Ends the client library in this process and waits for its threads, at most `wait`. For the end
  // of main, after the last NatsBus is gone: a thread of the library that is still on its way out
  // would touch OpenSSL, which exit() takes down. No NatsBus works afterwards.
  static void EndLibrary(absl::Duration wait = absl::Seconds(2));
};

}  // namespace sealane
