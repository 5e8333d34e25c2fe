#include "tools/kubesim/server.h"

#include <malloc.h>
#include <signal.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "lib/core/event_loop.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/http/server.h"
#include "tools/kubesim/cluster.h"

namespace sealane::kubesim {
namespace {

std::string Kubeconfig(const ProgramOptions& options, const std::string& address) {
  const std::string& name = options.cluster.name;
  const std::string token = options.token.empty() ? "none" : options.token;
  return StrCat("apiVersion: v1\nkind: Config\ncurrent-context: ", name,
                "\nclusters:\n- name: ", name, "\n  cluster:\n    server: http://", address,
                "\ncontexts:\n- name: ", name, "\n  context:\n    cluster: ", name,
                "\n    user: ", name, "\nusers:\n- name: ", name, "\n  user:\n    token: \"", token,
                "\"\n");
}

// Written beside and renamed, so that a reader never sees half a file.
bool WriteFile(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  std::ofstream file(beside, std::ios::trunc);
  file << text;
  file.close();
  return file.good() && std::rename(beside.c_str(), path.c_str()) == 0;
}

}  // namespace

int RunServer(const ProgramOptions& options) {
  // A few arenas are enough for two threads, and keep the memory small.
  mallopt(M_ARENA_MAX, 2);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  EventLoop loop;
  SystemRandom random = options.seed == 0 ? SystemRandom() : SystemRandom(options.seed);
  const Env env{loop.clock(), loop, random};
  std::unique_ptr<Cluster> cluster;
  http::HttpServerOptions http_options;
  http_options.listen = options.listen;
  http_options.max_body_bytes = 16 << 20;
  auto server = http::HttpServer::Start(
      http_options, loop,
      [&cluster](const http::HttpRequest& request, std::shared_ptr<http::ResponseWriter> writer) {
        cluster->Handle(request, std::move(writer));
      });
  if (!server.ok()) {
    std::cerr << "kubesim: " << server.status().message() << "\n";
    return 1;
  }
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  const std::string address = StrCat(host.empty() ? "127.0.0.1" : host, ":", (*server)->port());
  kubeapi::ApiServerOptions api;
  api.token = options.token;
  api.server_address = address;
  cluster = std::make_unique<Cluster>(env, options.cluster, api);  // requests wait in the loop
  if (!options.kubeconfig_out.empty() &&
      !WriteFile(options.kubeconfig_out, Kubeconfig(options, address))) {
    std::cerr << "kubesim: cannot write " << options.kubeconfig_out << "\n";
    return 1;
  }
  std::cout << "kubesim " << options.cluster.name << " serves http://" << address << std::endl;
  std::thread waiter([&] {
    int received = 0;
    sigwait(&signals, &received);
    loop.RequestStop();
  });
  loop.Run();
  (*server)->Stop();
  cluster.reset();
  waiter.join();
  return 0;
}

}  // namespace sealane::kubesim
