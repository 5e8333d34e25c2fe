#include "lib/http/server_tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/ssl/context.hpp>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

std::vector<std::string> Entries(X509_NAME* name, int nid) {
  std::vector<std::string> out;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) {
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) continue;
    out.emplace_back(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
    OPENSSL_free(text);
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<asio::ssl::context>> MakeServerTls(const std::string& certificate,
                                                                  const std::string& key,
                                                                  const std::string& client_ca,
                                                                  bool optional) {
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                   asio::ssl::context::no_tlsv1_1);
  error_code error;
  // Without RSA key exchange: it has no forward secrecy, and its cost comes late in the handshake,
  // where HandshakeGate does not see it.
  if (SSL_CTX_set_cipher_list(tls->native_handle(), "DEFAULT:!kRSA") != 1) {
    return InvalidArgument("TLS: no cipher is left");
  }
  tls->use_certificate_chain(asio::buffer(certificate), error);
  if (!error) tls->use_private_key(asio::buffer(key), asio::ssl::context::pem, error);
  if (!error && SSL_CTX_check_private_key(tls->native_handle()) != 1) {
    return InvalidArgument("the TLS key does not belong to the certificate");
  }
  if (!error && !client_ca.empty()) {
    tls->add_certificate_authority(asio::buffer(client_ca), error);
    auto mode = asio::ssl::verify_peer;
    if (!optional) mode |= asio::ssl::verify_fail_if_no_peer_cert;
    if (!error) tls->set_verify_mode(mode, error);
    // Sessions are not resumed: a certificate is verified at every connection.
    SSL_CTX_set_session_cache_mode(tls->native_handle(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(tls->native_handle(), SSL_OP_NO_TICKET);
  }
  if (error) return InvalidArgument(StrCat("TLS certificate or key: ", error.message()));
  return tls;
}

std::shared_ptr<const PeerCertificate> VerifiedPeer(ssl_st* ssl) {
  X509* certificate = SSL_get1_peer_certificate(ssl);
  if (certificate == nullptr) return nullptr;
  std::shared_ptr<PeerCertificate> peer;
  // Without a CA nobody is asked, and nothing that was shown counts.
  if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK) {
    peer = std::make_shared<PeerCertificate>();
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto names = Entries(name, NID_commonName);
    if (!names.empty()) peer->common_name = names.back();
    peer->organizations = Entries(name, NID_organizationName);
  }
  X509_free(certificate);
  return peer;
}

}  // namespace sealane::http
