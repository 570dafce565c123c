#pragma once

#include "core/replication/detail/disk/metadata.h"

namespace bascule::replication::detail {

/// This node's view of the in-sync set: a primary asks to shrink it when the peer is not in step, to grow it when the
/// peer is again, and makes the new generation when the peer has left; a secondary member asks to grow it when the
/// peer, secondary too, has everything. Whether a write may be acknowledged follows from the facts this keeps
/// (Writes::may_answer).
class Membership {
 public:
  Membership(Core& core, Metadata& metadata);

  void committed(const input::InSyncCommitted& committed);
  void advance();
  [[nodiscard]] bool wants_shrink() const;
  [[nodiscard]] bool wants_grow() const;
  /// A handshake may begin. Not while this primary has blocks of its own in a generation that the peer shares: the
  /// generations would compare equal and hide the difference.
  [[nodiscard]] bool may_connect() const;
  [[nodiscard]] Instant deadline() const;
  /// A generation begins; a handshake under way, in which the peer was told the old one, ends.
  void make_generation();

 private:
  [[nodiscard]] bool vouches() const;

  Core& core_;
  Metadata& metadata_;
  Instant ask_again_{};
  bool asking_ = false;
};

}  // namespace bascule::replication::detail
