#pragma once
// How code on the way of a record stops the job for a reason that lies in the world: a value, thrown.

#include <exception>
#include <utility>

#include <tidemark/core/status.hpp>

namespace tidemark {
inline namespace v0 {

// Thrown by operators and by state they touch; caught at the edge of the task's step and nowhere else. Functions of users need not know it.
class JobFailure : public std::exception {
 public:
  explicit JobFailure(Error error) : error_(std::move(error)) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

}  // namespace v0
}  // namespace tidemark
