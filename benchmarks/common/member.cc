#include "benchmarks/common/member.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::bench {

absl::StatusOr<Member> StartMember(Fleet& fleet, const std::string& bin_dir,
                                   const std::string& name) {
  Member member;
  member.token = "bench-only";
  member.kubeconfig = StrCat(fleet.directory(), "/", name, ".kubeconfig");
  SEALANE_ASSIGN_OR_RETURN(
      member.process,
      fleet.StartProgram(name, {StrCat(bin_dir, "/kubesim"), StrCat("--name=", name),
                                StrCat("--token=", member.token),
                                StrCat("--kubeconfig-out=", member.kubeconfig)}));
  SEALANE_RETURN_IF_ERROR(fleet.WaitUntil("kubesim's kubeconfig", absl::Seconds(60), [&] {
    return std::filesystem::exists(member.kubeconfig);
  }));
  std::ifstream file(member.kubeconfig);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::smatch match;
  if (!std::regex_search(text, match, std::regex("http://[0-9.:]+"))) {
    return Internal("kubesim's kubeconfig names no server");
  }
  member.server = match.str();
  return member;
}

}  // namespace sealane::bench
