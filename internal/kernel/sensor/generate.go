package sensor

//go:generate go tool bpf2go -go-package sensor -tags linux -target bpfel -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -mcpu=v3 -Wall -Werror -Wno-unused-variable" trace bpf/sensor.bpf.c
//go:generate go tool bpf2go -go-package sensor -tags linux -target bpfel -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -mcpu=v3 -Wall -Werror -Wno-unused-variable" list bpf/list.bpf.c
//go:generate go tool bpf2go -go-package sensor -tags linux -target bpfel -cc clang-19 -strip llvm-strip-19 -cflags "-O2 -g -mcpu=v3 -Wall -Werror -Wno-unused-variable" -type member family bpf/family.bpf.c
