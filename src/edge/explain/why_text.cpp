#include "edge/explain/why_text.h"

#include <algorithm>

namespace bascule::explain {
namespace {

using nlohmann::json;

/// More nodes than this are counted only.
constexpr std::size_t kMostNodes = 24;

std::string padded(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

std::string summand_text(policy::Score score) { return (score < 0 ? "" : "+") + policy::text_of(score); }

void append_sentences(std::string& text, const Answer& answer) {
  std::size_t width = 0;
  for (const NodeAnswer& node : answer.nodes) width = std::max(width, node.node.size());
  std::size_t shown = 0;
  for (const NodeAnswer& node : answer.nodes) {
    if (++shown > kMostNodes) break;
    text += "  " + padded(node.node, width) + "  " + node.sentence + ".\n";
  }
  if (answer.nodes.size() > kMostNodes)
    text += "  and " + std::to_string(answer.nodes.size() - kMostNodes) + " more nodes (--json tells of all)\n";
}

void append_scores(std::string& text, const Answer& answer) {
  text += "\nScores\n";
  std::size_t shown = 0;
  for (const NodeAnswer& node : answer.nodes) {
    if (++shown > kMostNodes) break;
    text += "  " + node.node + ": " + (node.score ? policy::text_of(*node.score) : "not allowed") + "\n";
    for (const Summand& each : node.summands)
      text += "    " + padded(summand_text(each.score), 10) + " " + each.cause + "\n";
  }
}

}  // namespace

std::string why_text(const Answer& answer) {
  std::string text = answer.sentence + "\n\n";
  append_sentences(text, answer);
  append_scores(text, answer);
  if (answer.smallest)
    text += "\nThe smallest change that alters this\n  " + answer.smallest->change + ": then " +
            answer.smallest->effect + ".\n";
  else if (!answer.without_change.empty())
    text += "\nThe smallest change that alters this\n  " + answer.without_change + ".\n";
  return text;
}

json why_json(const Answer& answer) {
  json nodes = json::array();
  for (const NodeAnswer& node : answer.nodes) {
    json summands = json::array();
    for (const Summand& each : node.summands) summands.push_back({{"score", each.score}, {"cause", each.cause}});
    nodes.push_back({{"node", node.node},
                     {"chosen", node.chosen},
                     {"sentence", node.sentence},
                     {"score", node.score ? json(*node.score) : json(nullptr)},
                     {"contributions", summands}});
  }
  json smallest = nullptr;
  if (answer.smallest) smallest = {{"change", answer.smallest->change}, {"effect", answer.smallest->effect}};
  return {{"ok", true},           {"resource", answer.resource},
          {"nodes", nodes},       {"sentence", answer.sentence},
          {"smallest", smallest}, {"without_change", answer.without_change},
          {"tried", answer.tried}};
}

}  // namespace bascule::explain
