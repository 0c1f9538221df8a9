package vaultapi

var sysMountRows []Row
