#pragma once

#include <string>

#include "core/policy/board.h"

/// The cluster's state in the layout of crm_simulate 2.1.
namespace bascule::simulate {

/// "Node List" and "Full List of Resources", two spaces in front.
[[nodiscard]] std::string status_text(const policy::detail::Board& board);

/// One resource and what is in it, `indent` spaces in front.
void append_resource(std::string& text, const policy::detail::Board& board, policy::detail::ResourceId id, int indent);
/// Why a probe there said that the resource cannot run (kNone: any node); empty if none did.
[[nodiscard]] std::string probe_failure(const policy::detail::Board& board, policy::detail::ResourceId id,
                                        policy::detail::NodeId node);
/// A primitive as one line, without indent or end of line.
[[nodiscard]] std::string primitive_text(const policy::detail::Board& board, policy::detail::ResourceId id);
/// The same by another name, and as running somewhere else: what is in a bundle is shown where its container is.
[[nodiscard]] std::string primitive_text(const policy::detail::Board& board, policy::detail::ResourceId id,
                                         const std::string& name, policy::detail::NodeId place);
/// "name: [ a b c ]".
[[nodiscard]] std::string list_text(const std::string& name, std::vector<std::string> members);
/// Active, as far as anybody knows, but without a known place: what is not managed on a lost node does not count for
/// the whole. Such a whole is taken for one of other nodes and not shown.
[[nodiscard]] bool is_left_out(const policy::detail::Board& board, policy::detail::ResourceId id);
void append_line(std::string& text, int indent, const std::string& line);
void append_clone(std::string& text, const policy::detail::Board& board, policy::detail::ResourceId id, int indent);
void append_bundle(std::string& text, const policy::detail::Board& board, policy::detail::ResourceId id, int indent);
[[nodiscard]] bool target_role_is(const policy::detail::Board& board, policy::detail::ResourceId id, policy::Role role);
/// Whether its target-role keeps it from what it could be: stopped, or never promoted where instances can be.
[[nodiscard]] bool is_disabled(const policy::detail::Board& board, policy::detail::ResourceId id);

}  // namespace bascule::simulate
