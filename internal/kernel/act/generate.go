package act

//go:generate go tool bpf2go -go-package act -tags linux -target bpfel -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -mcpu=v3 -Wall -Werror" abort bpf/abort.bpf.c
