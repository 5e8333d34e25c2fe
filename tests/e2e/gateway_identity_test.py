"""Who users are to the gateway, over real TLS: ID tokens checked against a key set behind an https URL, tokens
of service accounts, client certificates that change; and tokens that are forged, expired or confused."""

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from fleet import wait_until
from gateway_fleet import GatewayFleetTest
from stack import make_certificates

ISSUER = "https://login.example.com"

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "oidc:teachers"}
- {kind: ServiceAccount, name: robot, namespace: shop}
"""


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class IssuerKey:
    """An RSA key of openssl."""

    def __init__(self, directory, name):
        self.name = name
        self.file = directory / f"{name}.pem"
        self.run("genrsa", "-out", self.file, "2048")
        self.public = self.run("rsa", "-in", self.file, "-pubout")

    @staticmethod
    def run(*args):
        return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True).stdout

    def jwk(self):
        modulus = self.run("rsa", "-in", self.file, "-noout", "-modulus").decode().split("=")[1]
        return {"kty": "RSA", "kid": self.name, "use": "sig", "e": "AQAB",
                "n": encode(bytes.fromhex(modulus.strip()))}

    def token(self, algorithm="RS256", **claims):
        body = {"iss": ISSUER, "aud": "fleet", "sub": "ann", "groups": ["teachers"],
                "exp": int(time.time()) + 600, **claims}
        text = ".".join(encode(json.dumps(part).encode())
                        for part in ({"alg": algorithm, "kid": self.name}, body))
        if algorithm == "none":
            return f"{text}."
        if algorithm == "HS256":  # with what everybody knows
            return f"{text}.{encode(hmac.new(self.public, text.encode(), hashlib.sha256).digest())}"
        with tempfile.NamedTemporaryFile() as file:
            file.write(text.encode())
            file.flush()
            return f"{text}.{encode(self.run('dgst', '-sha256', '-sign', self.file, file.name))}"


class KeyServer:
    """The issuer's key set over https, with the certificate of the fleet."""

    def __init__(self, tls):
        self.keys = []
        self.asked = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                body = json.dumps({"keys": outer.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/keys"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class IdentityTest(GatewayFleetTest):
    clusters = GatewayFleetTest.clusters[:1]

    @classmethod
    def start_fleet(cls):
        super().start_fleet()
        cls.home = pathlib.Path(cls.directory.name) / "issuer"
        cls.home.mkdir()
        tls = cls.stack.state / "tls"
        make_certificates(tls)
        cls.server = KeyServer(tls)
        cls.addClassCleanup(cls.server.close)
        cls.key = IssuerKey(cls.home, "first")
        cls.server.keys = [cls.key.jwk()]
        accounts = IssuerKey(cls.home, "accounts")
        cls.stack.flags = {"gateway": [
            "--oidc-issuer-url", ISSUER, "--oidc-client-id", "fleet", "--oidc-jwks", cls.server.url,
            "--oidc-ca", cls.stack.authority, "--oidc-groups-claim", "groups",
            "--oidc-groups-prefix", "oidc:", "--service-account-key", accounts.file]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kubectl("create", "namespace", "shop")
        cls.kubectl("create", "serviceaccount", "robot", "-n", "shop")
        cls.kubectl("apply", "-f", "-", text=RIGHTS)

    def may(self, token, *args):
        """What kubectl says with that token: "" when it works."""
        file = self.stack.state / "gateway" / "token.kubeconfig"
        self.stack.write_kubeconfig(file, self.stack.ports["gateway-api"], token)
        args = args or ("get", "configmaps", "-n", "shop")
        done = self.kubectl(*args, kubeconfig=file, check=False)
        return "" if done.returncode == 0 else done.stderr

    def test_1_people(self):
        self.assertEqual(self.may(self.key.token()), "")
        self.assertIn("cannot list resource \"secrets\"",
                      self.may(self.key.token(), "get", "secrets", "-n", "shop"))
        self.assertIn(f"{ISSUER}#ann",
                      self.may(self.key.token(), "get", "secrets", "-n", "shop"))
        self.assertIn("Forbidden", self.may(self.key.token(groups=[])))
        # Nobody outside can say that he is of Kubernetes.
        self.assertIn("Forbidden", self.may(self.key.token(
            sub="system:admin", groups=["system:masters"]), "get", "secrets", "-n", "shop"))

    def test_2_who_is_not_known(self):
        other = IssuerKey(self.home, "first-but-another")
        other.name = "first"
        now = int(time.time())
        for what, token in {
            "expired": self.key.token(exp=now - 60),
            "not yet valid": self.key.token(nbf=now + 600),
            "without an end": self.key.token(exp=None),
            "another audience": self.key.token(aud="other"),
            "another issuer": self.key.token(iss="https://evil.example.com"),
            "another key": other.token(),
            "no signature": self.key.token("none"),
            "the public key as a secret": self.key.token("HS256"),
            "an algorithm of another kind": self.key.token("ES256"),
            "a bent signature": self.key.token()[:-6] + "AAAAAA",
            "nothing of the kind": "a.b.c",
        }.items():
            with self.subTest(what):
                said = self.may(token)
                self.assertIn("Unauthorized", said)
                for word in ("expired", "signature", "audience", "issuer", "key"):
                    self.assertNotIn(word, said)

    def test_3_keys_that_change(self):
        second = IssuerKey(self.home, "second")
        before = self.server.asked
        self.server.keys = [second.jwk()]
        # The first token of an unknown key makes the gateway ask, though not for every one.
        wait_until("the new key is known", lambda: self.may(second.token()) == "", timeout=40)
        for _ in range(5):
            self.assertIn("Unauthorized", self.may(self.key.token()))
        self.assertLessEqual(self.server.asked - before, 4)

    def test_4_service_accounts(self):
        token = self.kubectl("create", "token", "robot", "-n", "shop").strip()
        self.assertEqual(self.may(token), "")
        self.assertIn("system:serviceaccount:shop:robot",
                      self.may(token, "get", "secrets", "-n", "shop"))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                  "spec": {"token": token}}
        told = json.loads(self.kubectl("create", "-o", "json", "-f", "-", text=json.dumps(review)))
        self.assertEqual(told["status"]["user"]["username"], "system:serviceaccount:shop:robot")
        self.kubectl("delete", "serviceaccount", "robot", "-n", "shop")
        self.assertIn("Unauthorized", self.may(token))

    def test_5_a_new_certificate_is_shown_without_a_restart(self):
        def shown():
            text = ssl.get_server_certificate(("127.0.0.1", self.stack.ports["gateway-api"]))
            return hashlib.sha256(text.encode()).hexdigest()

        before = shown()
        tls = self.stack.state / "tls"
        with tempfile.TemporaryDirectory() as other:
            make_certificates(pathlib.Path(other))
            for name in ("server.key", "server.pem"):
                (tls / name).write_bytes((pathlib.Path(other) / name).read_bytes())
        wait_until("the new certificate is shown", lambda: shown() != before, timeout=30)


if __name__ == "__main__":
    unittest.main()
