#pragma once
// Threads that work behind the job's back: on row files, fsync and compaction.

namespace tidemark {
inline namespace v0 {

// Gives the calling thread a name (at most 15 characters, for debuggers and `top -H`) and less of a core than those that move records,
// where all cores are taken: about a quarter. What is written a little later costs nothing. Best effort, and once is enough.
void become_background_thread(const char* name);

}  // namespace v0
}  // namespace tidemark
