// Talks to a server a few times; "leak" opens with allowHalfOpen and never ends its own side.
const net = require('node:net');

const [mode, host, port, count, hold] = process.argv.slice(2);
const kept = [];
for (let i = 0; i < Number(count); i++) {
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.resume();
  socket.on('end', () => { if (mode === 'fixed') socket.end(); });
  kept.push(socket);
}
// The fixed one ends when nothing is open any more.
setTimeout(() => { if (mode !== 'fixed') process.exit(0); }, Number(hold) * 1000);
