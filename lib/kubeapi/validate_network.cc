// Rules of Services, Ingresses and NetworkPolicies.

#include <algorithm>
#include <array>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

void CheckServicePorts(const Json& spec, FieldErrors& errors) {
  const Json& ports = ListAt(spec, "ports");
  std::set<std::string_view> names;
  std::set<std::string> numbers;
  std::set<std::string> node_ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Json& port = ports[i];
    const FieldPath path = kSpec.Child("ports", i);
    const std::string_view name = TextView(port, "name");
    if (name.empty()) {
      if (ports.size() > 1) errors.push_back(RequiredField(path.Text("name")));
    } else if (const std::string why = WhyNotDnsLabel(name); !why.empty()) {
      errors.push_back(InvalidField(path.Text("name"), name, why));
    } else if (!names.insert(name).second) {
      errors.push_back(DuplicateField(path.Text("name"), name));
    }
    CheckPortNumber(port, "port", path, errors);
    CheckOneOf(port, "protocol", {"SCTP", "TCP", "UDP"}, path, errors);
    // 0 and "" stand for the port itself.
    const Json& target = At(port, "targetPort");
    if (target != 0 && target != "") CheckPortOrName(port, "targetPort", path, errors);
    if (Has(port, "appProtocol")) CheckLabelKey(port, "appProtocol", path, errors);
    const std::string_view protocol = TextView(port, "protocol");
    if (const int64_t number = IntAt(port, "nodePort").value_or(0); number != 0) {
      CheckPortNumber(port, "nodePort", path, errors);
      if (!node_ports.insert(StrCat(protocol, number)).second) {
        errors.push_back(DuplicateField(path.Text("nodePort"), number));
      }
    }
    if (!numbers.insert(StrCat(protocol, IntAt(port, "port").value_or(0))).second) {
      errors.push_back(DuplicateField(
          path.Text(), {{"port", At(port, "port")}, {"protocol", At(port, "protocol")}}));
    }
  }
}

void CheckAffinity(const Json& spec, FieldErrors& errors) {
  CheckOneOf(spec, "sessionAffinity", {"ClientIP", "None"}, kSpec, errors);
  const Json& config = At(spec, "sessionAffinityConfig");
  const std::string_view affinity = TextView(spec, "sessionAffinity");
  if (affinity == "None" && !config.is_null()) {
    errors.push_back(ForbiddenField("spec.sessionAffinityConfig",
                                    "must not be set when session affinity is None"));
  } else if (affinity == "ClientIP") {
    const auto seconds = IntAt(At(config, "clientIP"), "timeoutSeconds");
    if (seconds && (*seconds <= 0 || *seconds > 86400)) {
      errors.push_back(InvalidField("spec.sessionAffinityConfig.clientIP.timeoutSeconds", *seconds,
                                    "must be greater than 0 and less than 86400"));
    }
  }
}

void CheckExternalName(const Json& spec, FieldErrors& errors) {
  std::string_view name = TextView(spec, "externalName");
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (name.empty()) {
    errors.push_back(RequiredField("spec.externalName"));
  } else if (const std::string why = WhyNotDnsSubdomain(name); !why.empty()) {
    errors.push_back(InvalidField("spec.externalName", name, why));
  }
}

// The host of a rule or of a certificate; only the first label may be a wildcard.
void CheckHost(std::string_view host, const FieldPath& path, FieldErrors& errors) {
  if (host.find('*') == std::string_view::npos) {
    if (const std::string why = WhyNotDnsSubdomain(host); !why.empty()) {
      errors.push_back(InvalidField(path.Text(), host, why));
    }
  } else if (host.substr(0, 2) != "*." || !WhyNotDnsSubdomain(host.substr(2)).empty()) {
    errors.push_back(InvalidField(
        path.Text(), host,
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "
        "alphanumeric character (e.g. '*.example.com', regex used for validation is "
        "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"));
  }
}

void CheckBackend(const Json& backend, const FieldPath& path, FieldErrors& errors) {
  const Json& service = At(backend, "service");
  const Json& resource = At(backend, "resource");
  if (!service.is_null() && !resource.is_null()) {
    errors.push_back(
        InvalidField(path.Text(), "", "cannot set both resource and service backends"));
  } else if (!resource.is_null()) {
    const FieldPath at = path.Child("resource");
    CheckRequired(resource, "kind", at, errors);
    CheckRequired(resource, "name", at, errors);
  } else if (service.is_null()) {
    errors.push_back(InvalidField(path.Text(), "", "resource or service backend is required"));
  } else {
    const std::string_view name = TextView(service, "name");
    if (name.empty()) {
      errors.push_back(RequiredField(path.Text("service.name")));
    } else if (const std::string why = WhyNotDnsLabel(name); !why.empty()) {
      errors.push_back(InvalidField(path.Text("service.name"), name, why));
    }
    const Json& port = At(service, "port");
    const std::string_view port_name = TextView(port, "name");
    const bool numbered = IntAt(port, "number").value_or(0) != 0;
    const FieldPath port_path = path.Child("service.port");
    if (!port_name.empty() && numbered) {
      errors.push_back(InvalidField(path.Text(), "", "cannot set both port name & port number"));
    } else if (!port_name.empty()) {
      CheckPortOrName(port, "name", port_path, errors);
    } else if (numbered) {
      CheckPortNumber(port, "number", port_path, errors);
    } else {
      errors.push_back(RequiredField(path.Text(), "port name or number is required"));
    }
  }
}

void CheckIngressPath(const Json& rule, const FieldPath& path, FieldErrors& errors) {
  const std::string_view type = TextView(rule, "pathType");
  const std::string_view place = TextView(rule, "path");
  if (type.empty()) {
    errors.push_back(RequiredField(path.Text("pathType"), "pathType must be specified"));
    return;
  }
  const auto wrong = [&](std::string_view why) {
    errors.push_back(InvalidField(path.Text("path"), place, why));
  };
  if (type == "Exact" || type == "Prefix") {
    if (place.empty() || place.front() != '/') wrong("must be an absolute path");
    for (const std::string_view part : {"//", "/./", "/../", "%2f", "%2F"}) {
      if (place.find(part) != std::string_view::npos) {
        wrong(StrCat("must not contain '", part, "'"));
      }
    }
    for (const std::string_view end : {"/..", "/."}) {
      if (place.size() >= end.size() && place.substr(place.size() - end.size()) == end) {
        wrong(StrCat("cannot end with '", end, "'"));
      }
    }
  } else if (type == "ImplementationSpecific") {
    if (!place.empty() && place.front() != '/') wrong("must be an absolute path");
  } else {
    CheckOneOf(rule, "pathType", {"Exact", "ImplementationSpecific", "Prefix"}, path, errors);
  }
  CheckBackend(At(rule, "backend"), path.Child("backend"), errors);
}

void CheckPolicyPort(const Json& port, const FieldPath& path, FieldErrors& errors) {
  CheckOneOf(port, "protocol", {"TCP", "UDP", "SCTP"}, path, errors);
  CheckPortOrName(port, "port", path, errors);
  const auto end = IntAt(port, "endPort");
  if (!end) return;
  const Json& start = At(port, "port");
  if (start.is_null()) {
    errors.push_back(InvalidField(path.Text("endPort"), *end,
                                  "may not be specified when `port` is not specified"));
  } else if (start.is_string()) {
    errors.push_back(InvalidField(path.Text("endPort"), *end,
                                  "may not be specified when `port` is non-numeric"));
  } else {
    if (start > *end) {
      errors.push_back(
          InvalidField(path.Text("endPort"), *end, "must be greater than or equal to `port`"));
    }
    CheckPortNumber(port, "endPort", path, errors);
  }
}

void CheckPeer(const Json& peer, const FieldPath& path, FieldErrors& errors) {
  const Json& block = At(peer, "ipBlock");
  const bool selects = Has(peer, "podSelector") || Has(peer, "namespaceSelector");
  if (block.is_null() && !selects) {
    errors.push_back(RequiredField(path.Text(), "must specify a peer"));
  } else if (!block.is_null() && selects) {
    errors.push_back(ForbiddenField(path.Text(), "may not specify both ipBlock and another peer"));
  }
  for (const char* selector : {"podSelector", "namespaceSelector"}) {
    CheckLabelSelector(At(peer, selector), path.Child(selector), errors);
  }
  if (block.is_null()) return;
  const FieldPath at = path.Child("ipBlock");
  const std::string_view cidr = TextView(block, "cidr");
  if (cidr.empty()) {
    errors.push_back(RequiredField(at.Text("cidr")));
  } else if (const std::string why = WhyNotCidr(cidr); !why.empty()) {
    errors.push_back(InvalidField(at.Text("cidr"), cidr, why));
  }
  const Json& except = ListAt(block, "except");
  for (size_t i = 0; i < except.size(); ++i) {
    if (!except[i].is_string()) continue;
    const std::string why = WhyNotCidr(except[i].get_ref<const std::string&>());
    if (!why.empty()) errors.push_back(InvalidField(at.Child("except", i).Text(), except[i], why));
  }
}

}  // namespace

void CheckService(const Json& spec, const Json& before, FieldErrors& errors) {
  const std::string_view type = TextView(spec, "type");
  CheckOneOf(spec, "type", {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}, kSpec,
             errors);
  const bool headless = TextView(spec, "clusterIP") == "None";
  if (ListAt(spec, "ports").empty() && !headless && type != "ExternalName") {
    errors.push_back(RequiredField("spec.ports"));
  }
  if (headless && (type == "LoadBalancer" || type == "NodePort")) {
    errors.push_back(InvalidField("spec.clusterIPs[0]", "None",
                                  StrCat("may not be set to 'None' for ", type, " services")));
  }
  if (type == "ExternalName") CheckExternalName(spec, errors);
  CheckServicePorts(spec, errors);
  CheckLabels(At(spec, "selector"), kSpec.Child("selector"), errors);
  CheckAffinity(spec, errors);
  const Json& ips = ListAt(spec, "externalIPs");
  for (size_t i = 0; i < ips.size(); ++i) {
    if (!ips[i].is_string()) continue;
    const std::string why = WhyNotIp(ips[i].get_ref<const std::string&>());
    if (!why.empty()) {
      errors.push_back(InvalidField(kSpec.Child("externalIPs", i).Text(), ips[i], why));
    }
  }
  CheckOneOf(spec, "externalTrafficPolicy", {"Cluster", "Local"}, kSpec, errors);
  CheckOneOf(spec, "internalTrafficPolicy", {"Cluster", "Local"}, kSpec, errors);
  if (!before.is_null() && type != "ExternalName" && TextView(before, "type") != "ExternalName" &&
      !TextView(before, "clusterIP").empty() &&
      TextView(spec, "clusterIP") != TextView(before, "clusterIP")) {
    errors.push_back(InvalidField("spec.clusterIPs[0]", Json::array({TextView(spec, "clusterIP")}),
                                  "may not change once set"));
  }
}

void CheckIngress(const Json& spec, FieldErrors& errors) {
  const Json& rules = ListAt(spec, "rules");
  const Json& backend = At(spec, "defaultBackend");
  if (rules.empty() && backend.is_null()) {
    errors.push_back(
        InvalidField("spec", nullptr, "either `defaultBackend` or `rules` must be specified"));
  }
  if (!backend.is_null()) CheckBackend(backend, kSpec.Child("defaultBackend"), errors);
  for (size_t i = 0; i < rules.size(); ++i) {
    const FieldPath at = kSpec.Child("rules", i);
    if (const std::string_view host = TextView(rules[i], "host"); !host.empty()) {
      CheckHost(host, at.Child("host"), errors);
    }
    const Json& http = At(rules[i], "http");
    if (http.is_null()) continue;
    const FieldPath http_path = at.Child("http");
    const Json& paths = ListAt(http, "paths");
    if (paths.empty()) errors.push_back(RequiredField(http_path.Text("paths")));
    for (size_t j = 0; j < paths.size(); ++j) {
      CheckIngressPath(paths[j], http_path.Child("paths", j), errors);
    }
  }
  const Json& tls = ListAt(spec, "tls");
  for (size_t i = 0; i < tls.size(); ++i) {
    const FieldPath at = kSpec.Child("tls", i);
    const Json& hosts = ListAt(tls[i], "hosts");
    for (size_t j = 0; j < hosts.size(); ++j) {
      if (hosts[j].is_string()) {
        CheckHost(hosts[j].get_ref<const std::string&>(), at.Child("hosts", j), errors);
      }
    }
    const std::string_view secret = TextView(tls[i], "secretName");
    if (secret.empty()) continue;
    if (const std::string why = WhyNotDnsSubdomain(secret); !why.empty()) {
      errors.push_back(InvalidField(at.Text("secretName"), secret, why));
    }
  }
  if (const std::string_view name = TextView(spec, "ingressClassName"); !name.empty()) {
    if (const std::string why = WhyNotDnsSubdomain(name); !why.empty()) {
      errors.push_back(InvalidField("spec.ingressClassName", name, why));
    }
  }
}

void CheckNetworkPolicy(const Json& spec, FieldErrors& errors) {
  CheckLabelSelector(At(spec, "podSelector"), kSpec.Child("podSelector"), errors);
  constexpr std::array<std::array<const char*, 2>, 2> kDirections = {
      {{"ingress", "from"}, {"egress", "to"}}};
  for (const auto& [direction, peers_field] : kDirections) {
    const Json& rules = ListAt(spec, direction);
    for (size_t i = 0; i < rules.size(); ++i) {
      const FieldPath at = kSpec.Child(direction, i);
      const Json& ports = ListAt(rules[i], "ports");
      for (size_t j = 0; j < ports.size(); ++j) {
        CheckPolicyPort(ports[j], at.Child("ports", j), errors);
      }
      const Json& peers = ListAt(rules[i], peers_field);
      for (size_t j = 0; j < peers.size(); ++j) {
        CheckPeer(peers[j], at.Child(peers_field, j), errors);
      }
    }
  }
  const Json& types = ListAt(spec, "policyTypes");
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] == "Ingress" || types[i] == "Egress") continue;
    errors.push_back(
        UnsupportedField(kSpec.Child("policyTypes", i).Text(), types[i], {"Ingress", "Egress"}));
  }
}

}  // namespace sealane::kubeapi
