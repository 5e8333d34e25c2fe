#include "lib/bus/subjects.h"

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"

namespace sealane {
namespace {

absl::Status Check(std::string_view subject, bool wildcards) {
  if (subject.empty()) return InvalidArgument("empty subject");
  if (subject.size() > kMaxSubject) {
    return InvalidArgument(StrCat("subject of ", subject.size(), " bytes; at most ", kMaxSubject));
  }
  size_t begin = 0;
  while (begin <= subject.size()) {
    size_t end = subject.find('.', begin);
    if (end == std::string_view::npos) end = subject.size();
    const std::string_view token = subject.substr(begin, end - begin);
    if (token.empty()) return InvalidArgument(StrCat("subject has an empty token: ", subject));
    const bool any = token == "*";
    const bool rest = token == ">" && end == subject.size();
    if (!(wildcards && (any || rest))) {
      for (const char c : token) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || byte >= 0x7f || c == '*' || c == '>') {
          return InvalidArgument(
              "subject has a blank, a wildcard or a character that is not ASCII");
        }
      }
    }
    begin = end + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSubject(std::string_view subject) { return Check(subject, false); }
absl::Status CheckFilter(std::string_view filter) { return Check(filter, true); }

absl::Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > 200) return InvalidArgument("name is empty or too long");
  for (const char c : name) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '=';
    if (!ok) return InvalidArgument(StrCat("name has characters outside [A-Za-z0-9_=-]: ", name));
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(std::string_view name, std::string_view value) {
  if (name.empty() || name.find_first_of(": \r\n") != std::string_view::npos) {
    return InvalidArgument("header name is empty or has a colon, blank or line break");
  }
  if (value.find_first_of("\r\n") != std::string_view::npos) {
    return InvalidArgument(StrCat("header ", name, " has a line break"));
  }
  return absl::OkStatus();
}

bool SubjectMatches(std::string_view filter, std::string_view subject) {
  for (;;) {
    const size_t filter_dot = filter.find('.');
    const size_t subject_dot = subject.find('.');
    const std::string_view want = filter.substr(0, filter_dot);
    if (want == ">") return !subject.empty();
    if (want != "*" && want != subject.substr(0, subject_dot)) return false;
    if (filter_dot == std::string_view::npos || subject_dot == std::string_view::npos) {
      return filter_dot == subject_dot;
    }
    filter.remove_prefix(filter_dot + 1);
    subject.remove_prefix(subject_dot + 1);
  }
}

std::string_view SubjectAfter(std::string_view subject, int count) {
  for (int i = 0; i < count; ++i) {
    const size_t dot = subject.find('.');
    if (dot == std::string_view::npos) return {};
    subject.remove_prefix(dot + 1);
  }
  return subject;
}

std::string_view SubjectToken(std::string_view subject, int index) {
  const std::string_view rest = SubjectAfter(subject, index);
  return rest.substr(0, rest.find('.'));
}

namespace hub {

std::string Heartbeat(std::string_view cluster) {
  return StrCat("heartbeats.", EncodeToken(cluster));
}
std::string SnapshotRequest(std::string_view cluster) {
  return StrCat("snap.works.", EncodeToken(cluster));
}
std::string Control(std::string_view cluster, std::string_view verb) {
  return StrCat("ctl.", EncodeToken(cluster), ".", verb);
}
std::string Deploy(std::string_view platform) { return StrCat("deploy.", EncodeToken(platform)); }
std::string Deployed(std::string_view platform, std::string_view event_id) {
  return StrCat("deployed.", EncodeToken(platform), ".", EncodeToken(event_id));
}
std::string Event(std::string_view service, std::string_view reason, std::string_view cluster,
                  const ObjectKey& about) {
  return StrCat("events.", EncodeToken(service), ".", EncodeToken(reason), ".",
                ClusterRowKey(cluster, about));
}
std::string ResultRequest(std::string_view platform) {
  return StrCat("results.", EncodeToken(platform));
}
std::string Query(std::string_view service) { return StrCat("query.", service); }

std::string ClusterOf(std::string_view subject) {
  const std::string_view first = SubjectToken(subject, 0);
  const int index = first == "snap" || first == "live" ? 2 : 1;
  return DecodeToken(SubjectToken(subject, index)).value_or("");
}

std::string PlatformOf(std::string_view subject) {
  return DecodeToken(SubjectToken(subject, 1)).value_or("");
}

}  // namespace hub

namespace agent {

std::string WorkStatus(std::string_view row_key) { return StrCat("work_status.", row_key); }
std::string_view RowKeyOfLiveWork(std::string_view subject) { return SubjectAfter(subject, 1); }
std::string_view Verb(std::string_view subject) { return SubjectAfter(subject, 1); }

}  // namespace agent

namespace platform {

std::string Deployed(std::string_view event_id) {
  return StrCat("deployed.", EncodeToken(event_id));
}
std::string Query(std::string_view service) { return StrCat("query.", service); }

}  // namespace platform
}  // namespace sealane
