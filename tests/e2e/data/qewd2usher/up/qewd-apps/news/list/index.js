// A handler of QEWD-Up.
