// A bundle in the status, with its replicas.
#include "edge/simulate/status_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there

std::string image_of(const Resource& bundle) { return cib::value_of(bundle.definition->bundle->container, "image"); }

void append_replica(std::string& text, const Board& board, const BundleReplica& replica, int indent) {
  const ResourceId shown = replica.child == kNone ? replica.container : replica.child;
  std::string name = board.resource(replica.remote == kNone ? replica.container : replica.remote).id;
  if (replica.ip != kNone) name += " (" + replica.address + ")";
  const auto& places = board.resource(replica.container).running_on;
  append_line(text, indent, "* " + primitive_text(board, shown, name, places.empty() ? kNone : places.front()));
}

}  // namespace

void append_bundle(std::string& text, const Board& board, ResourceId id, int indent) {
  const Resource& bundle = board.resource(id);
  const BundleParts& parts = *bundle.bundle;
  std::string line = "* Container bundle" + std::string(parts.replicas.size() > 1 ? " set" : "") + ": " + bundle.id +
                     " [" + image_of(bundle) + "]";
  if (bundle.unique) line += " (unique)";
  if (!bundle.managed) line += " (unmanaged)";
  append_line(text, indent, line + ":");
  for (const BundleReplica& replica : parts.replicas)
    if (!is_left_out(board, replica.container)) append_replica(text, board, replica, indent + 2);
}

}  // namespace bascule::simulate
