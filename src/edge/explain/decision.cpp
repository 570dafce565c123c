#include "edge/explain/decision.h"

#include <algorithm>

#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using decisions::Decided;
using nlohmann::json;

std::string heading(const Replayed& replayed) {
  const auto& record = replayed.record;
  std::string text = "Decision " + std::to_string(replayed.number) + " of " + std::to_string(replayed.of) +
                     ", taken by " + record.node + " in term " + std::to_string(record.term);
  if (record.wall_ms != 0) text += ", " + time_text(static_cast<std::int64_t>(record.wall_ms / 1000));
  return text + "\n";
}

std::string seen(const decisions::Record& record, const std::string& name, const ownership::NodeView& view) {
  if (name == record.node) return "decides";
  const auto last_word = ", last word " + length_text(to_ms(view.age)) + " before";
  if (!view.lost) return (view.online ? "online" : "suspect") + last_word;
  return "lost" + last_word +
         (view.lease_certainly_over ? "; its leases have certainly ended" : "; its leases may still last");
}

std::string seen_text(const decisions::Record& record) {
  std::size_t width = 0;
  for (const auto& [name, view] : record.nodes) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, view] : record.nodes)
    text += "  " + name + std::string(width - name.size() + 2, ' ') + seen(record, name, view) + "\n";
  return text;
}

std::string decided_text(const std::vector<Decided>& decided) {
  if (decided.empty()) return "  nothing\n";
  std::string text;
  for (const auto& one : decided) text += "  " + one.command + "\n    because " + one.reason + "\n";
  return text;
}

std::string again_text(const Replayed& replayed) {
  if (replayed.supposed.empty() && replayed.again.same) return "Taken again by this program: the same\n";
  std::string text;
  for (const auto& one : replayed.supposed) text += (text.empty() ? "Supposed: " : ", ") + one;
  if (!text.empty()) text += "\n\n";
  text += replayed.supposed.empty() ? "Taken again by this program: ANOTHER DECISION\n" : "Then decided\n";
  return text + decided_text(replayed.again.decided);
}

void append_why(std::string& text, const std::string& name, const ownership::Explanation& explanation) {
  if (explanation.why.empty()) return;
  text += "  " + name + ": " + explanation.why + "\n";
  if (!explanation.hint.empty()) text += "    " + explanation.hint + "\n";
}

std::string why_text(const ownership::Plan& plan) {
  std::string text;
  for (const auto& [name, explanation] : plan.services) append_why(text, name, explanation);
  for (const auto& [name, explanation] : plan.volumes) append_why(text, "volume " + name, explanation);
  return text.empty() ? text : "\nWhy\n" + text;
}

json decided_json(const std::vector<Decided>& decided) {
  json made = json::array();
  for (const auto& one : decided) made.push_back({{"command", one.command}, {"reason", one.reason}});
  return made;
}

json seen_json(const decisions::Record& record) {
  json made = json::array();
  for (const auto& [name, view] : record.nodes)
    made.push_back({{"node", name},
                    {"online", view.online && !view.lost},
                    {"age_ms", to_ms(view.age)},
                    {"lease_over", view.lease_certainly_over}});
  return made;
}

json why_json(const ownership::Plan& plan) {
  json made = json::array();
  const auto add = [&made](const std::string& subject, const ownership::Explanation& explanation) {
    if (!explanation.why.empty())
      made.push_back({{"subject", subject}, {"why", explanation.why}, {"hint", explanation.hint}});
  };
  for (const auto& [name, explanation] : plan.services) add(name, explanation);
  for (const auto& [name, explanation] : plan.volumes) add("volume " + name, explanation);
  return made;
}

}  // namespace

std::string decision_text(const Replayed& replayed) {
  return heading(replayed) + seen_text(replayed.record) + "\nDecided\n" + decided_text(replayed.record.decided) + "\n" +
         again_text(replayed) + why_text(replayed.again.plan) + "\n" + replayed.again.plan.summary + "\n";
}

json decision_json(const Replayed& replayed) {
  return {{"node", replayed.record.node},
          {"term", replayed.record.term},
          {"wall_ms", replayed.record.wall_ms},
          {"number", replayed.number},
          {"of", replayed.of},
          {"seen", seen_json(replayed.record)},
          {"decided", decided_json(replayed.record.decided)},
          {"again", decided_json(replayed.again.decided)},
          {"same", replayed.again.same},
          {"supposed", replayed.supposed},
          {"summary", replayed.again.plan.summary},
          {"why", why_json(replayed.again.plan)}};
}

}  // namespace bascule::explain
