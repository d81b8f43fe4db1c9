module github.com/closewait/closewait

go 1.26
