@0xe4f7a0c5d1b29386;
# Everything that a hostile message can be wrong about: text, lists, a union, and itself at any depth.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("fuzz_wire");

struct Tree @0xc6d70b9e2f418a35 {
  name @0 :Text;
  weight @1 :Float64 = 1.5;
  tags @2 :List(Text);
  children @3 :List(Tree);
  union {
    none @4 :Void;
    data @5 :Data;
    code @6 :UInt16;
  }
  flags @7 :List(Bool);
}
