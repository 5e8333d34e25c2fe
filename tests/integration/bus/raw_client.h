#pragma once

#include <memory>
#include <string>

#include "lib/accounts/nkey.h"

namespace sealane {

// How a RawClient gets in: with user and password, with a credentials file's text, or (all empty)
// as nobody. `ca_file` turns TLS on.
struct RawLogin {
  std::string user;
  std::string password;
  std::string creds;
  std::string ca_file;
};

// Speaks NATS' protocol by hand, so that it may say what no library would.
class RawClient {
 public:
  RawClient(int port, const RawLogin& login);
  ~RawClient();
  RawClient(RawClient&&) = delete;
  void Publish(const std::string& subject, const std::string& reply, const std::string& payload);
  void PublishWith(const std::string& header, const std::string& subject, const std::string& reply,
                   const std::string& payload);
  void Subscribe(const std::string& subject);
  // Until the server has handled everything sent, and `ms` longer.
  void Sync(int ms = 0);
  [[nodiscard]] const std::string& received() const { return received_; }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  struct Tls;
  void Send(const std::string& text);
  void Read(int ms);
  [[nodiscard]] std::string Connect(const RawLogin& login) const;

  int fd_ = -1;
  int sid_ = 0;
  bool closed_ = false;
  std::string received_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace sealane
