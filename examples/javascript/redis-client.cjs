// A client of Redis in a few lines, for `RedisBudgets`: one connection, and answers that are one line. Any other client does, too.
"use strict";

const net = require("node:net");

class RedisClient {
  /** @param {net.NetConnectOpts} where {path} of a socket, or {host, port} */
  constructor(where) {
    this.where = where;
  }

  /** Send one command; the Promise is its answer, or an error of the server. */
  command(words) {
    if (this.connection === undefined || this.connection.hasFailed) this.connection = new Connection(this.where);
    return this.connection.command(words);
  }

  close() {
    this.connection?.fail(new Error("the client is closed"));
  }
}

/** A connection with the commands that wait for its answers, in their order: no other connection answers them. */
class Connection {
  constructor(where) {
    this.waiting = [];
    this.text = "";
    this.hasFailed = false;
    this.socket = net.connect(where).setEncoding("utf8").on("data", (text) => this.hear(text));
    this.socket.on("error", (error) => this.fail(error)).on("close", () => this.fail(new Error("the server has cut the connection")));
  }

  command(words) {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  hear(text) {
    const lines = (this.text + text).split("\r\n");
    this.text = lines.pop();
    for (const line of lines) {
      if (!this.waiting.length) return this.fail(new Error("the server gave an answer that nobody asked for"));
      const { resolve, reject } = this.waiting.shift();
      if (line.startsWith("-")) reject(new Error(line.slice(1)));
      else resolve(line.slice(1));
    }
  }

  fail(error) {
    this.hasFailed = true;
    this.socket.destroy();
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}

module.exports = { RedisClient };
