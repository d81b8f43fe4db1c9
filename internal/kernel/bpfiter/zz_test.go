//go:build linux
package bpfiter
import ("testing";"time";"os";"fmt";"github.com/cilium/ebpf";"golang.org/x/sys/unix")
func TestZZ(t *testing.T){
 if os.Getenv("ZZ")=="" {t.SkipNow()}
 c,err:=ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME)); if err!=nil{t.Fatal(err)}
 defer c.Close()
 r:=open(t,Options{Window:time.Minute})
 n:=0; fmt.Sscan(os.Getenv("ZZ"),&n)
 ns:=newNamespace(t);closeWaits(t,ns,n); time.Sleep(time.Second*time.Duration(func()(x int){fmt.Sscan(os.Getenv("ZZS"),&x);return}()))
 for i:=0;i<6;i++{
  for k,f:=range []func(func(*Record)error)error{r.Owned,r.Unowned}{
   s0,_:=r.programs[k].Stats()
   t0:=time.Now()
   cnt:=0
   ns.do(t, func()error{t0=time.Now(); f(func(*Record)error{cnt++;return nil}); return nil})
   d:=time.Since(t0)
   s1,_:=r.programs[k].Stats()
   t.Log(k,"wall",d,"prog",s1.Runtime-s0.Runtime,"runs",s1.RunCount-s0.RunCount,"rec",cnt)
  }
 }
}
