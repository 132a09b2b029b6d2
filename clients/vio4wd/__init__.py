"""What vio4wdctl is made of. main is the top: it takes the command line from options and calls
commands; these ask the daemon (endpoints), make plain objects of its answers (figures), find the relay that
is meant (naming), judge (causes, diagnosis, health) and print (report, output). top shows the same on the
whole screen, which screen draws. Modules below know nothing of those above."""
