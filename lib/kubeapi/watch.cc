#include "lib/kubeapi/watch.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/table.h"

namespace sealane::kubeapi {
namespace {

// How soon it is looked again whether a client that is behind has read: longer and longer while it
// does not.
constexpr absl::Duration kFirstPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(200);

bool SameForm(const EventTexts::Form& a, const EventTexts::Form& b) {
  return a.resource == b.resource && a.output == b.output && a.columns == b.columns &&
         a.include_object == b.include_object;
}

std::string EventText(const char* type, const StoredObject& object, const EventTexts::Form& form,
                      absl::Time now) {
  const auto event = [type](std::string_view text) {
    return StrCat("{\"type\":\"", type, "\",\"object\":", text, "}\n");
  };
  switch (form.output) {
    case Output::kObject:
      return event(ObjectText(*form.resource, object));
    case Output::kMetadata:
      return event(WriteJson(PartialMetadata(object.value())));
    case Output::kTable:
      break;
  }
  Json table = {
      {"kind", "Table"},
      {"apiVersion", "meta.k8s.io/v1"},
      {"metadata", {{"resourceVersion", std::to_string(object.revision())}}},
      {"columnDefinitions", nullptr},
      {"rows", Json::array({TableRow(*form.resource, object.value(), now, form.include_object)})}};
  if (form.columns) table["columnDefinitions"] = TableColumns(*form.resource);
  return event(WriteJson(table));
}

}  // namespace

std::shared_ptr<const std::string> EventTexts::Get(const char* type, const StoredObject& object,
                                                   const Form& form, absl::Time now) {
  for (const Text& text : texts_) {
    if (text.object == &object && text.type == type && SameForm(text.form, form)) return text.text;
  }
  texts_.push_back({type, &object, form,
                    std::make_shared<const std::string>(EventText(type, object, form, now))});
  return texts_.back().text;
}

Watch::Watch(const Env& env, const Store& store, Options options,
             std::shared_ptr<http::ResponseWriter> writer, std::function<void()> on_end)
    : env_(env),
      store_(store),
      options_(std::move(options)),
      writer_(std::move(writer)),
      on_end_(std::move(on_end)),
      pause_(kFirstPause) {
  // What else a client may write means the same as this, and would only be kept in another form.
  std::string& include = options_.include_object;
  if (include != "Object" && include != "None") include.clear();
}

bool Watch::Selects(const StoredObject& object) const {
  const Json& value = object.value();
  if (!options_.fields.empty() && !options_.fields.Matches(value)) return false;
  return options_.labels.empty() || options_.labels.Matches(LabelsOf(value));
}

void Watch::Start(std::vector<ObjectPtr> initial, uint64_t revision, bool initial_end) {
  initial_ = std::move(initial);
  std::reverse(initial_.begin(), initial_.end());
  initial_end_ = initial_end;
  revision_ = revision;
  behind_ = true;
  CatchUp();
}

void Watch::Deliver(const Change& change, EventTexts& texts) {
  if (behind_ || ended_) return;
  Tell(change, texts);
  if (!Full()) return;
  behind_ = true;
  pause_ = kFirstPause;
  Later();
}

void Watch::Tell(const Change& change, EventTexts& texts) {
  last_ = change.object;
  if (change.object->revision() <= options_.after) return;
  const ObjectKey& key = change.object->key();
  if (!options_.ns.empty() && key.ns != options_.ns) return;
  const bool was = change.previous != nullptr && Selects(*change.previous);
  const bool is = change.type != ChangeType::kDeleted && Selects(*change.object);
  if (change.type == ChangeType::kDeleted) {
    if (was || Selects(*change.object)) Send("DELETED", *change.object, texts);
  } else if (was && is) {
    Send("MODIFIED", *change.object, texts);
  } else if (is) {
    Send("ADDED", *change.object, texts);
  } else if (was) {
    Send("DELETED", *change.object, texts);
  }
}

void Watch::CatchUp() {
  timer_ = 0;
  if (ended_) return;
  if (writer_->pending_bytes() > options_.max_pending / 2) return Later();
  pause_ = kFirstPause;
  for (; !initial_.empty(); initial_.pop_back()) {
    if (Full()) return Later();
    EventTexts texts;
    if (Selects(*initial_.back())) Send("ADDED", *initial_.back(), texts);
  }
  if (std::exchange(initial_end_, false)) WriteBookmark(revision_, true);
  const auto missed = Missed();
  if (!missed.ok()) {
    writer_->Write(StrCat("{\"type\":\"ERROR\",\"object\":",
                          WriteJson(StatusObject(Expired(ToStd(missed.status().message())))),
                          "}\n"));
    End();
    if (on_end_) std::exchange(on_end_, nullptr)();
    return;
  }
  for (const Change& change : *missed) {
    if (Full()) return Later();
    EventTexts texts;
    Tell(change, texts);
  }
  behind_ = false;
}

absl::StatusOr<std::vector<Change>> Watch::Missed() const {
  const std::string storage = options_.resource->StorageName();
  if (last_ == nullptr) return store_.History(storage, revision_);
  // Several changes may have the revision of the last one.
  auto changes = store_.History(storage, last_->revision() - 1);
  if (!changes.ok()) return changes;
  const auto it = std::find_if(changes->begin(), changes->end(),
                               [this](const Change& c) { return c.object == last_; });
  if (it == changes->end()) {
    return absl::OutOfRangeError(StrCat("too old resource version: ", last_->revision()));
  }
  changes->erase(changes->begin(), it + 1);
  return changes;
}

void Watch::Later() {
  timer_ = env_.executor.After(pause_, [self = weak_from_this()] {
    if (const auto watch = self.lock()) watch->CatchUp();
  });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

void Watch::Send(const char* type, const StoredObject& object, EventTexts& texts) {
  EventTexts::Form form{options_.resource, options_.output, "", false};
  if (options_.output == Output::kTable) {
    form.include_object = options_.include_object;
    form.columns = !std::exchange(columns_sent_, true);
  }
  writer_->WriteShared(texts.Get(type, object, form, env_.clock.Now()));
}

void Watch::WriteBookmark(uint64_t revision, bool initial_end) {
  if (revision < options_.after) return;
  Json metadata = {{"resourceVersion", std::to_string(revision)}};
  if (initial_end) metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  Json object = {{"kind", options_.resource->kind},
                 {"apiVersion", options_.resource->ApiVersion()},
                 {"metadata", metadata}};
  if (options_.output != Output::kObject) {
    object["kind"] = options_.output == Output::kTable ? "Table" : "PartialObjectMetadata";
    object["apiVersion"] = "meta.k8s.io/v1";
    if (options_.output == Output::kTable) object["rows"] = Json::array();
  }
  writer_->Write(StrCat("{\"type\":\"BOOKMARK\",\"object\":", WriteJson(object), "}\n"));
}

void Watch::End() {
  if (std::exchange(ended_, true)) return;
  for (const TimerId timer : {timer_, bookmark_timer, end_timer, right_timer})
    env_.executor.Cancel(timer);
  writer_->End();
}

}  // namespace sealane::kubeapi
