// A client of Redis in a few lines, for `RedisBudgets`: one connection, and answers that are one line. Any other client does, too.
"use strict";

const net = require("node:net");

class RedisClient {
  /** @param {net.NetConnectOpts} where {path} of a socket, or {host, port} */
  constructor(where) {
    this.where = where;
    this.waiting = [];
    this.text = "";
  }

  /** Send one command; the Promise is its answer, or an error of the server. */
  command(words) {
    this.socket ??= this.connect();
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  connect() {
    const socket = net.connect(this.where);
    socket.setEncoding("utf8").on("data", (text) => this.hear(text)).on("error", (error) => this.fail(error));
    socket.on("close", () => this.fail(new Error("the server has cut the connection")));
    return socket;
  }

  hear(text) {
    const lines = (this.text + text).split("\r\n");
    this.text = lines.pop();
    for (const line of lines) {
      const { resolve, reject } = this.waiting.shift();
      if (line.startsWith("-")) reject(new Error(line.slice(1)));
      else resolve(line.slice(1));
    }
  }

  fail(error) {
    this.socket = undefined;
    this.text = "";
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  close() {
    this.socket?.destroy();
  }
}

module.exports = { RedisClient };
