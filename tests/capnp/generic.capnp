@0xe0b1c2d3e4f50617;
# What must not be taken for one another: generic types that are bound to other types, and defaults that are lists or structs.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("generic");

struct Box(T) {
  value @0 :T;
  next @1 :Box(T);
  struct Lid {
    value @0 :T;
  }
}
struct Outer(T) {
  struct Middle {
    inner @0 :Inner;
    struct Inner {
      x @0 :T;
    }
  }
  struct MiddleOf(U) {
    struct InnerOf(V) {
      group :group {
        x @0 :List(Box(T));
      }
      y @1 :V;
    }
  }
}
struct P {
  x @0 :Int32;
}
struct Q {
  n @0 :Int32;
  m @1 :Int32;
}
struct R {
  f @0 :Float64;
}

struct BoxesOfPAndQ { first @0 :Box(P); second @1 :Box(Q); }
struct BoxesOfPAndR { first @0 :Box(P); second @1 :Box(R); }
struct LidsOfPAndQ { first @0 :Box(P).Lid; second @1 :Box(Q).Lid; }
struct LidsOfPAndR { first @0 :Box(P).Lid; second @1 :Box(R).Lid; }
struct MiddlesOfPAndQ { first @0 :Outer(P).Middle; second @1 :Outer(Q).Middle; }
struct MiddlesOfPAndR { first @0 :Outer(P).Middle; second @1 :Outer(R).Middle; }
struct InnersOfPAndQ { first @0 :Outer(P).MiddleOf(Text).InnerOf(Data); second @1 :Outer(Q).MiddleOf(Text).InnerOf(Data); }
struct InnersOfPAndR { first @0 :Outer(P).MiddleOf(Text).InnerOf(Data); second @1 :Outer(R).MiddleOf(Text).InnerOf(Data); }
struct ListOfOne { limits @0 :List(Int32) = [1, 2, 3]; }
struct ListOfSeven { limits @0 :List(Int32) = [7, 8, 9]; }
struct StructOfFive { p @0 :P = (x = 5); }
struct StructOfSix { p @0 :P = (x = 6); }
