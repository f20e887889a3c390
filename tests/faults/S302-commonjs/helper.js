module.exports = { hi() { return "hello"; } };
