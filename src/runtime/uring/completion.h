#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace bascule::uring {

/// What is called when an operation is done: a small copyable function of one int (bytes or a count >= 0, or a negative
/// errno). Kept inline so that an operation costs no allocation; captures are pointers and numbers, at most 48 bytes.
class Completion {
 public:
  Completion() = default;
  template <typename Function, typename = std::enable_if_t<!std::is_same_v<std::decay_t<Function>, Completion>>>
  Completion(Function function) {  // NOLINT: made from a lambda
    static_assert(sizeof(Function) <= sizeof(storage_) && std::is_trivially_copyable_v<Function>);
    new (storage_) Function(function);
    call_ = [](void* storage, int result) { (*static_cast<Function*>(storage))(result); };
  }
  void operator()(int result) {
    if (call_ != nullptr) call_(storage_, result);
  }

 private:
  alignas(std::max_align_t) std::byte storage_[48];
  void (*call_)(void*, int) = nullptr;
};

}  // namespace bascule::uring
