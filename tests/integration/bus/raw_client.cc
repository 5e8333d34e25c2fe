#include "tests/integration/bus/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "lib/accounts/claims.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"

namespace sealane {

struct RawClient::Tls {
  Tls(int fd, const std::string& ca_file) {
    context = SSL_CTX_new(TLS_client_method());
    EXPECT_EQ(SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    EXPECT_EQ(SSL_connect(ssl), 1);
  }
  ~Tls() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
};

RawClient::RawClient(int port, const RawLogin& login) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (int i = 0; i < 1000 && !closed_ && received_.find("\r\n") == std::string::npos; ++i) {
    Read(20);
  }
  if (!login.ca_file.empty()) tls_ = std::make_unique<Tls>(fd_, login.ca_file);
  Send(Connect(login));
  Sync();
}

RawClient::~RawClient() {
  tls_.reset();
  close(fd_);
}

std::string RawClient::Connect(const RawLogin& login) const {
  Json options = {{"verbose", false},      {"pedantic", false}, {"headers", true},
                  {"no_responders", true}, {"lang", "raw"},     {"version", "1.0.0"},
                  {"protocol", 1}};
  if (!login.user.empty()) {
    options["user"] = login.user;
    options["pass"] = login.password;
  }
  if (!login.creds.empty()) {
    const size_t open = received_.find('{');
    const Json info =
        Json::parse(received_.substr(open, received_.find("\r\n") - open), nullptr, false);
    const auto key = KeyOfCredentials(login.creds);
    EXPECT_TRUE(key.ok()) << key.status();
    const auto signature = key->Sign(info.value("nonce", ""));
    EXPECT_TRUE(signature.ok()) << signature.status();
    std::string encoded;
    absl::WebSafeBase64Escape(*signature, &encoded);
    options["sig"] = encoded;
    const size_t begin = login.creds.find('\n') + 1;
    options["jwt"] = login.creds.substr(begin, login.creds.find('\n', begin) - begin);
  }
  return StrCat("CONNECT ", options.dump(), "\r\n");
}

void RawClient::Send(const std::string& text) {
  if (tls_ != nullptr) {
    (void)SSL_write(tls_->ssl, text.data(), static_cast<int>(text.size()));
  } else {
    (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
}

void RawClient::Publish(const std::string& subject, const std::string& reply,
                        const std::string& payload) {
  Send(StrCat("PUB ", subject, " ", reply, reply.empty() ? "" : " ", payload.size(), "\r\n",
              payload, "\r\n"));
}

void RawClient::PublishWith(const std::string& header, const std::string& subject,
                            const std::string& reply, const std::string& payload) {
  const std::string head = StrCat("NATS/1.0\r\n", header, "\r\n\r\n");
  Send(StrCat("HPUB ", subject, " ", reply, " ", head.size(), " ", head.size() + payload.size(),
              "\r\n", head, payload, "\r\n"));
}

void RawClient::Subscribe(const std::string& subject) {
  Send(StrCat("SUB ", subject, " ", ++sid_, "\r\n"));
}

void RawClient::Sync(int ms) {
  const size_t from = received_.size();
  Send("PING\r\n");
  for (int i = 0; i < 1000 && !closed_ && received_.find("PONG\r\n", from) == std::string::npos;
       ++i) {
    Read(20);
  }
  while (ms > 0 && !closed_) {
    Read(20);
    ms -= 20;
  }
}

void RawClient::Read(int ms) {
  pollfd p{fd_, POLLIN, 0};
  const bool waiting = tls_ != nullptr && SSL_pending(tls_->ssl) > 0;
  if (!waiting && poll(&p, 1, ms) <= 0) return;
  char buffer[65536];
  const ssize_t n = tls_ != nullptr ? SSL_read(tls_->ssl, buffer, sizeof(buffer))
                                    : read(fd_, buffer, sizeof(buffer));
  if (n > 0) received_.append(buffer, static_cast<size_t>(n));
  if (n <= 0) closed_ = true;
}

}  // namespace sealane
