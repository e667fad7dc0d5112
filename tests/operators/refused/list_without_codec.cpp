#include <tidemark/operators/stream.hpp>

using namespace tidemark;

struct Remembered {
  const char* name = nullptr;
};

void build(Graph& graph, Source<long> numbers) {
  graph.from("numbers", numbers).flat_map<long, Remembered>("remembered", [](const long&, std::vector<Remembered>&, Collector<long>&) {});
}
