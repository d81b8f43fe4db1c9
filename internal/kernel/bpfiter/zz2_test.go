//go:build linux
package bpfiter
import ("testing";"os";"os/exec")
func TestYY(t *testing.T){
 if os.Getenv("YY")=="" {t.SkipNow()}
 r:=open(t,Options{})
 ns:=newNamespace(t);closeWaits(t,ns,2)
  ns.do(t, func()error{ 
  out,_:=exec.Command("ss","-tanoe").CombinedOutput(); t.Logf("%s",out)
  r.Unowned(func(r *Record)error{t.Logf("%+v",*r);return nil})
  r.Owned(func(r *Record)error{t.Logf("%+v",*r);return nil})
  out,_=exec.Command("ss","-tanoe").CombinedOutput(); t.Logf("%s",out)
  return nil})
}
