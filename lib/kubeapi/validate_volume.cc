// Rules of volumes and of claims.

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"
#include "lib/model/quantity.h"

namespace sealane::kubeapi {
namespace {

void CheckMode(const Json& object, const char* field, const FieldPath& path, FieldErrors& errors) {
  const Json& mode = At(object, field);
  if (mode.is_number_integer() && (mode < 0 || mode > 0777)) {
    errors.push_back(InvalidField(path.Text(field), mode,
                                  "must be a number between 0 and 0777 (octal), both inclusive"));
  }
}

// A path in a volume that is made of other things.
void CheckLocalPath(const Json& object, const FieldPath& path, FieldErrors& errors) {
  const std::string_view inner = TextView(object, "path");
  if (inner.empty()) {
    errors.push_back(RequiredField(path.Text("path")));
    return;
  }
  if (const std::string why = WhyNotDescending(inner); !why.empty()) {
    errors.push_back(InvalidField(path.Text("path"), inner, why));
  } else if (inner.substr(0, 2) == "..") {
    errors.push_back(InvalidField(path.Text("path"), inner, "must not start with '..'"));
  }
}

void CheckItems(const Json& source, const FieldPath& path, FieldErrors& errors) {
  const Json& items = ListAt(source, "items");
  for (size_t i = 0; i < items.size(); ++i) {
    const FieldPath at = path.Child("items", i);
    CheckRequired(items[i], "key", at, errors);
    CheckLocalPath(items[i], at, errors);
    CheckMode(items[i], "mode", at, errors);
  }
}

void CheckDownward(const Json& source, const FieldPath& path, FieldErrors& errors) {
  for (const Json& item : ListAt(source, "items")) {
    CheckLocalPath(item, path, errors);
    if (!Has(item, "fieldRef") && !Has(item, "resourceFieldRef")) {
      errors.push_back(
          RequiredField(path.Text(), "one of fieldRef and resourceFieldRef is required"));
    }
    CheckMode(item, "mode", path, errors);
  }
}

void CheckProjected(const Json& projected, const FieldPath& path, FieldErrors& errors) {
  CheckMode(projected, "defaultMode", path, errors);
  const Json& sources = ListAt(projected, "sources");
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].is_object()) continue;
    const FieldPath at = path.Child("sources", i);
    bool first = true;
    for (const auto& [kind, source] : sources[i].items()) {
      const FieldPath source_path = at.Child(kind);
      if (!first) {
        errors.push_back(
            ForbiddenField(source_path.Text(), "may not specify more than 1 volume type"));
        continue;
      }
      first = false;
      if (kind == "secret" || kind == "configMap") {
        CheckRequired(source, "name", source_path, errors);
        CheckItems(source, source_path, errors);
      } else if (kind == "downwardAPI") {
        CheckDownward(source, source_path, errors);
      } else if (kind == "serviceAccountToken") {
        CheckRequired(source, "path", source_path, errors);
        const int64_t seconds = IntAt(source, "expirationSeconds").value_or(3600);
        if (seconds < 600) {
          errors.push_back(InvalidField(source_path.Text("expirationSeconds"), seconds,
                                        "may not specify a duration less than 10 minutes"));
        }
      }
    }
  }
}

void CheckSource(const std::string& kind, const Json& source, const FieldPath& path,
                 FieldErrors& errors) {
  if (kind == "emptyDir") {
    const std::string_view limit = TextView(source, "sizeLimit");
    if (!limit.empty() && limit.front() == '-') {
      errors.push_back(ForbiddenField(path.Text("sizeLimit"),
                                      "SizeLimit field must be a valid resource quantity"));
    }
  } else if (kind == "hostPath") {
    CheckRequired(source, "path", path, errors);
    CheckOneOf(source, "type",
               {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                "FileOrCreate", "Socket"},
               path, errors);
  } else if (kind == "secret" || kind == "configMap") {
    CheckRequired(source, kind == "secret" ? "secretName" : "name", path, errors);
    CheckMode(source, "defaultMode", path, errors);
    CheckItems(source, path, errors);
  } else if (kind == "persistentVolumeClaim") {
    CheckRequired(source, "claimName", path, errors);
  } else if (kind == "nfs") {
    CheckRequired(source, "server", path, errors);
    CheckRequired(source, "path", path, errors);
    const std::string_view place = TextView(source, "path");
    if (place.empty() || place.front() != '/') {
      errors.push_back(InvalidField(path.Text("path"), place, "must be an absolute path"));
    }
  } else if (kind == "downwardAPI") {
    CheckMode(source, "defaultMode", path, errors);
    CheckDownward(source, path, errors);
  } else if (kind == "projected") {
    CheckProjected(source, path, errors);
  } else if (kind == "csi") {
    CheckRequired(source, "driver", path, errors);
  } else if (kind == "ephemeral" && !Has(source, "volumeClaimTemplate")) {
    errors.push_back(RequiredField(path.Text("volumeClaimTemplate")));
  }
}

}  // namespace

void CheckVolumes(const Json& volumes, std::set<std::string_view>& names, const FieldPath& path,
                  FieldErrors& errors) {
  for (size_t i = 0; i < volumes.size(); ++i) {
    const FieldPath at = path.Child("volumes", i);
    const std::string_view name = TextView(volumes[i], "name");
    if (name.empty()) {
      errors.push_back(RequiredField(at.Text("name")));
    } else if (const std::string why = WhyNotDnsLabel(name); !why.empty()) {
      errors.push_back(InvalidField(at.Text("name"), name, why));
    } else if (names.count(name) != 0) {
      errors.push_back(DuplicateField(at.Text("name"), name));
    }
    // A bad name is not told a second time, where it is mounted.
    names.insert(name);
    if (!volumes[i].is_object()) continue;
    bool first = true;
    for (const auto& [kind, source] : volumes[i].items()) {
      if (kind == "name") continue;
      if (!first) {
        errors.push_back(ForbiddenField(at.Text(kind), "may not specify more than 1 volume type"));
        continue;
      }
      first = false;
      CheckSource(kind, source, at.Child(kind), errors);
    }
  }
}

void CheckClaim(const Json& spec, const Json& before, FieldErrors& errors) {
  const FieldPath path("spec");
  const Json& modes = ListAt(spec, "accessModes");
  if (modes.empty()) {
    errors.push_back(RequiredField("spec.accessModes", "at least 1 access mode is required"));
  }
  for (const Json& mode : modes) {
    if (mode == "ReadOnlyMany" || mode == "ReadWriteMany" || mode == "ReadWriteOnce") continue;
    if (mode != "ReadWriteOncePod") {
      errors.push_back(
          UnsupportedField("spec.accessModes", mode,
                           {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"}));
    } else if (modes.size() > 1) {
      errors.push_back(ForbiddenField("spec.accessModes",
                                      "may not use ReadWriteOncePod with other access modes"));
    }
  }
  CheckOneOf(spec, "volumeMode", {"Block", "Filesystem"}, path, errors);
  const Json& storage = At(MapAt(At(spec, "resources"), "requests"), "storage");
  if (!storage.is_string()) {
    errors.push_back(RequiredField("spec.resources[storage]"));
  } else {
    const auto size = Quantity::Parse(storage.get_ref<const std::string&>());
    if (size.ok() && *size <= Quantity()) {
      errors.push_back(
          InvalidField("spec.resources[storage]", storage, "must be greater than zero"));
    }
  }
  if (before.is_null()) return;
  static const std::set<std::string, std::less<>> may_change = {"resources",
                                                                "volumeAttributesClassName"};
  for (const Json* side : {&spec, &before}) {
    if (!side->is_object()) continue;
    for (const auto& [key, value] : side->items()) {
      if (may_change.count(key) != 0 || At(spec, key.c_str()) == At(before, key.c_str())) continue;
      // These are set later, once.
      if ((key == "volumeName" || key == "storageClassName") && !Has(before, key.c_str())) continue;
      errors.push_back(ForbiddenField("spec",
                                      "spec is immutable after creation except resources.requests "
                                      "and volumeAttributesClassName for bound claims"));
      return;
    }
  }
}

}  // namespace sealane::kubeapi
