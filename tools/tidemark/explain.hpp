#pragma once
// `tidemark explain CODE`: the paragraph of docs/errors.md about an error.

#include <string>
#include <string_view>

namespace tidemark::tool {

// docs/errors.md, put into the program by the build.
extern const std::string_view kErrorsPage;

// Prints the section of `code`, written TM0203, tm0203 or 203. Returns the exit code.
int explain(const std::string& code);

}  // namespace tidemark::tool
