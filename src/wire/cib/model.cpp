// Looking up attributes in the model.
#include "wire/cib/model.h"

#include <algorithm>

namespace bascule::cib {

const std::string* find(const Attributes& attributes, std::string_view name) {
  const auto found =
      std::find_if(attributes.rbegin(), attributes.rend(), [&](const auto& entry) { return entry.first == name; });
  return found == attributes.rend() ? nullptr : &found->second;
}

std::string value_of(const Attributes& attributes, std::string_view name, std::string_view otherwise) {
  const std::string* value = find(attributes, name);
  return value != nullptr ? *value : std::string(otherwise);
}

}  // namespace bascule::cib
