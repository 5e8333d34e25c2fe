#include "services/source/tree.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "lib/core/hash.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kube/admission.h"
#include "lib/kube/git_source.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/kube/own_annotations.h"
#include "lib/model/identity.h"

namespace sealane::source {
namespace {

constexpr std::string_view kLink = "120000";
constexpr std::string_view kSubmodule = "160000";

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
}

bool IsHidden(std::string_view path) {
  return path.starts_with(".") || path.find("/.") != path.npos;
}

bool IsManifest(std::string_view path) {
  return path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json");
}

// Why the entry cannot be taken for what it looks like; "": it can.
std::string Fault(const TreeEntry& entry, const TreeLimits& limits) {
  const std::string_view name = BaseName(entry.path);
  if (entry.mode == kLink) return "is a symbolic link; links are not followed";
  if (entry.mode == kSubmodule) return "is a submodule; submodules are not fetched";
  if (name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization") {
    return "Kustomize is not supported: commit what `kustomize build` prints, or choose another "
           "path";
  }
  if (name == "Chart.yaml") {
    return "Helm charts are not supported: commit what `helm template` prints, or choose another "
           "path";
  }
  if (IsManifest(entry.path) && entry.bytes > limits.file_bytes) {
    return StrCat("has ", entry.bytes, " bytes; at most ", limits.file_bytes, " are read");
  }
  return "";
}

// 0: what others need to be there first.
int Rank(const v1::ObjectRef& ref) {
  if (ref.kind() == "Namespace" && ref.api_version() == "v1") return 0;
  return ref.kind() == "CustomResourceDefinition" ? 1 : 2;
}

v1::GitProblem ProblemOf(const v1::GitObject& object, int document, int line,
                         std::string_view file) {
  v1::GitProblem problem;
  problem.set_file(std::string(file));
  problem.set_document(document);
  problem.set_line(line);
  *problem.mutable_ref() = object.ref();
  return problem;
}

class Reader {
 public:
  Reader(std::string_view self, const TreeLimits& limits) : self_(self), limits_(limits) {}

  void Read(const TreeFile& file) {
    std::vector<Json> manifests;
    std::vector<int> lines;
    const absl::Status parsed = kube::ParseManifests(file.text, &manifests, &lines);
    if (!parsed.ok()) {
      desired_.problems.push_back(MakeProblem(file.path, "Malformed", ToStd(parsed.message())));
      return;
    }
    for (size_t i = 0; i < manifests.size(); ++i) {
      Take(file.path, static_cast<int>(i) + 1, i < lines.size() ? lines[i] : 0, manifests[i]);
    }
  }

  Desired Finish() {
    if (desired_.problems.empty() && desired_.objects.empty()) {
      desired_.problems.push_back(
          MakeProblem("", "Empty", "there is no manifest below the path; nothing is removed"));
    }
    if (desired_.objects.size() > limits_.objects) {
      desired_.problems.push_back(MakeProblem(
          "", "TooLong",
          StrCat(desired_.objects.size(), " objects; at most ", limits_.objects, " are taken")));
    }
    std::stable_sort(desired_.objects.begin(), desired_.objects.end(),
                     [](const DesiredObject& a, const DesiredObject& b) {
                       return Rank(a.object.ref()) < Rank(b.object.ref());
                     });
    return std::move(desired_);
  }

 private:
  void Take(const std::string& file, int document, int line, const Json& raw) {
    DesiredObject one;
    Json manifest;
    const kube::Admission admission = kube::AdmitText(WriteJson(raw), &manifest);
    *one.object.mutable_ref() = kube::RefOf(manifest.is_object() ? manifest : raw);
    one.object.set_file(StrCat(file, "#", document));
    for (const v1::FieldError& error : admission.errors) {
      *desired_.problems.emplace_back(ProblemOf(one.object, document, line, file)).mutable_error() =
          error;
    }
    if (!admission.errors.empty()) return;
    const v1::ObjectRef& ref = one.object.ref();
    one.key = RowKey(ref);
    if (const auto [first, is_new] = seen_.emplace(one.key, one.object.file()); !is_new) {
      Refuse(one.object, document, line, file, "metadata.name", "Duplicate",
             StrCat(first->second, " has the same object"));
      return;
    }
    if (ref.kind() == kube::kGitSourceKind && GroupOf(ref.api_version()) == kube::kGitSourceGroup &&
        ref.name() == self_) {
      Refuse(one.object, document, line, file, "metadata.name", "Forbidden",
             "a source does not manage itself");
      return;
    }
    std::vector<v1::FieldError> none;
    one.manifest = kube::CanonicalManifest(manifest, &none);
    one.object.set_manifest_hash(Fnv1a64(one.manifest));
    one.object.set_keep(
        kube::GetString(manifest, {"metadata", "annotations", kube::kPruneAnnotation}) == "false");
    desired_.objects.push_back(std::move(one));
  }

  void Refuse(const v1::GitObject& object, int document, int line, std::string_view file,
              std::string_view field, std::string_view reason, std::string_view message) {
    v1::GitProblem problem = ProblemOf(object, document, line, file);
    problem.mutable_error()->set_field(std::string(field));
    problem.mutable_error()->set_reason(std::string(reason));
    problem.mutable_error()->set_message(std::string(message));
    desired_.problems.push_back(std::move(problem));
  }

  const std::string_view self_;
  const TreeLimits& limits_;
  Desired desired_;
  std::map<std::string, std::string> seen_;  // key -> file
};

}  // namespace

std::vector<TreeEntry> ParseTree(std::string_view listing, std::string_view below) {
  std::vector<TreeEntry> entries;
  for (const absl::string_view piece : absl::StrSplit(ToAbsl(listing), '\0', absl::SkipEmpty())) {
    // "<mode> <type> <hash> <size padded with blanks>\t<path>"
    const std::string_view line = ToStd(piece);
    const size_t tab = line.find('\t');
    if (tab == line.npos) continue;
    const std::vector<std::string> words =
        absl::StrSplit(ToAbsl(line.substr(0, tab)), ' ', absl::SkipEmpty());
    if (words.size() != 4) continue;
    TreeEntry entry;
    entry.mode = words[0];
    entry.hash = words[2];
    if (!absl::SimpleAtoi(words[3], &entry.bytes)) entry.bytes = 0;  // "-": not a file
    entry.path = StrCat(below, below.empty() ? "" : "/", line.substr(tab + 1));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Selection SelectFiles(std::vector<TreeEntry> entries, const TreeLimits& limits,
                      std::string_view below) {
  const size_t skip = below.empty() ? 0 : below.size() + 1;
  std::sort(entries.begin(), entries.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
  Selection selection;
  size_t bytes = 0;
  for (TreeEntry& entry : entries) {
    if (IsHidden(std::string_view(entry.path).substr(std::min(skip, entry.path.size())))) continue;
    if (const std::string fault = Fault(entry, limits); !fault.empty()) {
      selection.problems.push_back(MakeProblem(entry.path, "NotSupported", fault));
    } else if (IsManifest(entry.path)) {
      bytes += entry.bytes;
      selection.files.push_back(std::move(entry));
    }
  }
  if (selection.files.size() > limits.files) {
    selection.problems.push_back(
        MakeProblem("", "TooLong",
                    StrCat(selection.files.size(), " files; at most ", limits.files, " are read")));
  }
  if (bytes > limits.bytes) {
    selection.problems.push_back(MakeProblem(
        "", "TooLong", StrCat(bytes, " bytes in all; at most ", limits.bytes, " are read")));
  }
  return selection;
}

Desired ReadDesired(const std::vector<TreeFile>& files, std::string_view self,
                    const TreeLimits& limits) {
  Reader reader(self, limits);
  for (const TreeFile& file : files) reader.Read(file);
  return reader.Finish();
}

std::string Describe(const v1::GitProblem& problem) {
  std::string out = problem.file();
  if (problem.document() > 0) out.append(StrCat(", document ", problem.document()));
  if (problem.line() > 0) out.append(StrCat(" (line ", problem.line(), ")"));
  const auto append = [&out](std::string_view part) {
    if (part.empty()) return;
    out.append(out.empty() ? "" : ": ").append(part);
  };
  if (!problem.ref().kind().empty()) append(sealane::Describe(KeyOf(problem.ref())));
  append(problem.error().field());
  append(problem.error().message());
  return out;
}

v1::GitProblem MakeProblem(std::string_view file, std::string_view reason,
                           std::string_view message) {
  v1::GitProblem problem;
  problem.set_file(std::string(file));
  problem.mutable_error()->set_reason(std::string(reason));
  problem.mutable_error()->set_message(std::string(message));
  return problem;
}

}  // namespace sealane::source
