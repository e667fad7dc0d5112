@0xb0a1c2d3e4f50617;
# The first release of a schema that grows; v2 is the second. Ids are written out, since both stand for one type.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("wire");

struct Reading @0x9d5b3c1a7e2f4860 {
  sensor @0 :Text;
  celsius @1 :Float64 = -273.15;
  place @2 :Place;
  tags @3 :List(Text);
  union {
    none @4 :Void;
    error @5 :UInt16;
  }
  kind @6 :Kind;
}
struct Place @0xa1b2c3d4e5f60718 {
  x @0 :Int32;
  y @1 :Int32;
}
enum Kind @0xc1d2e3f405162738 {
  air @0;
  water @1;
}
