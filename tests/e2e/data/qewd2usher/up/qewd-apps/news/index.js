module.exports = require('qewd/up/qewdAppHandler')(__dirname);
